//! What has to be looked at, because nothing tells in time: devices, clocks, and engines that break.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{breaks::Breaks, clocks::Clocks, uevents::Uevents};
use crate::{engine::Engines, machine::Machine};

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// Looks once a second.
pub(super) struct Looks {
    ticks: Interval,
    clocks: Clocks,
    breaks: Breaks,
    uevents: Uevents,
    engines: Engines,
}

impl Looks {
    pub(super) fn new(machine: Machine, engines: Engines) -> Self {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            ticks,
            clocks: Clocks::now(),
            breaks: Breaks::default(),
            uevents: Uevents::listen(machine),
            engines,
        }
    }

    /// The next sign of trouble. Cancel-safe: what was not seen yet is seen at the next look.
    pub(super) async fn next(&mut self) -> String {
        loop {
            let now = self.ticks.tick().await;
            if let Some(device) = self.uevents.look() {
                return format!("a device: {device}");
            }
            if let Some(jump) = self.clocks.look() {
                return format!("the clocks: {jump}");
            }
            let broken = self.engines.all().iter().map(|served| {
                let restarts = served.counters().restarts.load(Ordering::Relaxed);
                (served.model().name.as_str(), restarts)
            });
            if let Some(model) = self.breaks.look(now, broken) {
                return format!("the engine of {model} broke twice in a minute");
            }
        }
    }
}
