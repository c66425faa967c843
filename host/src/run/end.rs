//! The end of a run: why it came, and what is left to do.

use std::{process::ExitCode, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep, timeout},
};

use serde_json::{Value, json};

use crate::{
    guest::{Guest, State, console::Console},
    launch::{End, Running},
    talk::tell,
};

/// The guest failed, or would not stop when asked.
const GUEST_FAILED: u8 = 1;
/// The longest that a guest may take to power off once it was asked, or has given up.
const POWER_OFF_PATIENCE: Duration = Duration::from_secs(10);
/// Lines of the console that are shown when a guest failed.
const SHOWN_LINES: usize = 40;

/// Why a run is over.
pub(super) enum Ended {
    /// The guest, or what it needs, is gone.
    ByItself(End),
    /// The guest said that it gives up, and powers off.
    GaveUp,
    /// The provider wants it to stop.
    Asked,
    /// The provider wants it to finish what it does, and then to stop.
    Draining,
    /// It has finished what it did, and is gone.
    Drained,
}

impl Ended {
    /// Waits for the guest, ends it, and says how it went.
    pub(super) async fn finish(
        self,
        guest: &Guest,
        running: &mut Running,
        stop: &mut Stop,
        console: &Console,
    ) -> anyhow::Result<ExitCode> {
        let reason = match self {
            Self::ByItself(end) => end.to_string(),
            Self::GaveUp => {
                if timeout(POWER_OFF_PATIENCE, running.ended()).await.is_err() {
                    running.kill().await;
                }
                "the guest gave up".to_owned()
            }
            Self::Draining | Self::Drained if !matches!(guest.state(), State::Failed(_)) => {
                stopped("the guest finished what it did and powered off");
                return Ok(ExitCode::SUCCESS);
            }
            Self::Draining | Self::Drained => "the guest gave up".to_owned(),
            Self::Asked => {
                if !guest.ask_to_stop() {
                    running.kill().await;
                    stopped("the guest was not yet able to power off by itself");
                    return Ok(ExitCode::SUCCESS);
                }
                let what = "the guest was asked to power off (Ctrl-C again ends it at once)";
                tell("stopping", &Value::Null, format_args!("stopping: {what}"));
                tokio::select! {
                    biased;
                    end = running.ended() => {
                        end?;
                        stopped("the guest powered off");
                        return Ok(ExitCode::SUCCESS);
                    }
                    () = stop.asked_at_once() => "the guest was ended at once, as requested".to_owned(),
                    () = sleep(POWER_OFF_PATIENCE) => format!("the guest did not power off in {POWER_OFF_PATIENCE:?}"),
                }
            }
        };
        running.kill().await;
        for line in console.newest(SHOWN_LINES) {
            tell("console", &Value::Null, format_args!("console: {line}"));
        }
        match guest.state() {
            State::Failed(failure) => tell(
                "failed",
                &json!({"code": failure.code}),
                format_args!(
                    "error: the enclave failed: {}: {}",
                    failure.code, failure.message
                ),
            ),
            State::Booting | State::Serving => tell(
                "failed",
                &Value::Null,
                format_args!(
                    "error: {reason}\nhint: look at the console's last lines above; all of them are in console.log in the state folder"
                ),
            ),
        }
        Ok(ExitCode::from(GUEST_FAILED))
    }
}

fn stopped(how: &str) {
    tell("stopped", &Value::Null, format_args!("stopped: {how}"));
}

/// How the provider wants it to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Ctrl-C.
    AtOnce,
    /// SIGTERM: what supervisors send.
    Drained,
}

/// The provider's signals.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    pub(super) async fn asked(&mut self) -> Wanted {
        tokio::select! {
            _ = self.interrupt.recv() => Wanted::AtOnce,
            _ = self.terminate.recv() => Wanted::Drained,
        }
    }

    /// By Ctrl-C: a supervisor that says again that it waits changes nothing.
    pub(super) async fn asked_at_once(&mut self) {
        self.interrupt.recv().await;
    }
}
