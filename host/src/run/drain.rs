//! Draining: nothing new, what is under way to its end, within the provider's grace.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::end::{Ended, Stop};
use crate::{
    guest::{Guest, State},
    launch::{End, Running},
    talk::tell,
};

/// How long a guest may take to hear of it: one whose connection broke comes back within five seconds.
const HEARD: Duration = Duration::from_secs(8);
/// How often is said what is still under way.
const SAID: Duration = Duration::from_secs(10);

/// Lets the guest finish what it does, for as long as the grace lasts. How that ended.
pub(super) async fn drain(
    guest: &Guest,
    running: &mut Running,
    stop: &mut Stop,
    grace: Duration,
) -> anyhow::Result<Ended> {
    guest.ask_to_drain();
    let under_way = under_way(guest);
    tell(
        "draining",
        &json!({"running": under_way.running, "queued": under_way.queued, "grace_s": grace.as_secs()}),
        format_args!(
            "draining: no new work is taken; {under_way} may take {} s (Ctrl-C ends it at once)",
            grace.as_secs()
        ),
    );
    if guest.state() != State::Serving {
        return Ok(Ended::Asked);
    }
    let mut over = pin!(sleep(grace));
    let mut heard = pin!(guest.heard_to_drain(HEARD));
    let mut is_heard = false;
    let mut progress = interval(SAID);
    progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
    progress.reset();
    loop {
        tokio::select! {
            biased;
            end = running.ended() => {
                return Ok(match end? {
                    End::Exited(status) if status.success() => Ended::Drained,
                    end => Ended::ByItself(end),
                });
            }
            () = guest.gave_up() => return Ok(Ended::GaveUp),
            () = stop.asked_at_once() => return Ok(Ended::Asked),
            () = &mut over => {
                cut_off(guest, grace);
                return Ok(Ended::Asked);
            }
            was = &mut heard, if !is_heard => {
                is_heard = true;
                if !was {
                    let why = "the guest does not know how to drain: it is of an older release, and its clients have five seconds";
                    tell("undrainable", &json!({}), why);
                    return Ok(Ended::Asked);
                }
            }
            _ = progress.tick() => say_progress(guest),
        }
    }
}

fn say_progress(guest: &Guest) {
    let left = under_way(guest);
    let fields = json!({"running": left.running, "queued": left.queued});
    tell("draining", &fields, format_args!("draining: {left}"));
}

/// What the grace was too short for: by the guest's own word of a second ago.
fn cut_off(guest: &Guest, grace: Duration) {
    let left = under_way(guest);
    tell(
        "cut_off",
        &json!({"running": left.running, "queued": left.queued, "grace_s": grace.as_secs()}),
        format_args!(
            "the grace of {} s is over: {left} is cut off; what it owes by now is noted\nhint: give longer jobs more time with --grace",
            grace.as_secs()
        ),
    );
}

/// Requests that the guest says it has.
struct UnderWay {
    running: u64,
    queued: u64,
}

fn under_way(guest: &Guest) -> UnderWay {
    let busy = guest.busy(Instant::now());
    let models = busy.iter().flat_map(|busy| &busy.load.models);
    models.fold(
        UnderWay {
            running: 0,
            queued: 0,
        },
        |sum, model| UnderWay {
            running: sum.running.saturating_add(model.running.into()),
            queued: sum.queued.saturating_add(model.queued.into()),
        },
    )
}

impl std::fmt::Display for UnderWay {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.running == 1 { "" } else { "s" };
        write!(
            to,
            "what is under way ({} answer{plural}, {} in the queue)",
            self.running, self.queued
        )
    }
}
