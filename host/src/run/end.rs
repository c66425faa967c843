//! The end of a run: why it came, and what is left to do.

use std::{process::ExitCode, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep, timeout},
};

use crate::{
    guest::{Guest, State, console::Console},
    launch::{End, Running},
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
            Self::Asked => {
                if !guest.ask_to_stop() {
                    running.kill().await;
                    eprintln!("stopped: the guest was not yet able to power off by itself");
                    return Ok(ExitCode::SUCCESS);
                }
                eprintln!(
                    "stopping: the guest was asked to power off (Ctrl-C again ends it at once)"
                );
                tokio::select! {
                    biased;
                    end = running.ended() => {
                        end?;
                        eprintln!("stopped: the guest powered off");
                        return Ok(ExitCode::SUCCESS);
                    }
                    () = stop.asked() => "the guest was ended at once, as requested".to_owned(),
                    () = sleep(POWER_OFF_PATIENCE) => format!("the guest did not power off in {POWER_OFF_PATIENCE:?}"),
                }
            }
        };
        running.kill().await;
        for line in console.newest(SHOWN_LINES) {
            eprintln!("console: {line}");
        }
        match guest.state() {
            State::Failed(failure) => eprintln!(
                "error: the enclave failed: {}: {}",
                failure.code, failure.message
            ),
            State::Booting | State::Serving => eprintln!(
                "error: {reason}\nhint: look at the console's last lines above; all of them are in console.log in the state folder"
            ),
        }
        Ok(ExitCode::from(GUEST_FAILED))
    }
}

/// The provider's wish to stop: Ctrl-C or SIGTERM.
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

    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
