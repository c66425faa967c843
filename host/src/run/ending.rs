//! From a guest's start to its end: who ends it, and how.

use std::{process::ExitCode, time::Duration};

use super::{
    drain,
    end::{Ended, Stop, Wanted},
};
use crate::{
    guest::{Guest, console::Console},
    launch::Running,
};

/// A guest that runs, and the provider who may want it to stop.
pub(super) struct Ending<'a> {
    guest: &'a Guest,
    running: &'a mut Running,
    stop: &'a mut Stop,
    console: &'a Console,
}

impl<'a> Ending<'a> {
    pub(super) fn of(
        guest: &'a Guest,
        running: &'a mut Running,
        stop: &'a mut Stop,
        console: &'a Console,
    ) -> Self {
        Self {
            guest,
            running,
            stop,
            console,
        }
    }

    /// Waits for the beginning of the end, while `serving` goes on.
    pub(super) async fn begins(
        &mut self,
        serving: impl Future<Output = anyhow::Result<Ended>>,
    ) -> anyhow::Result<Ended> {
        Ok(tokio::select! {
            biased;
            end = self.running.ended() => Ended::ByItself(end?),
            () = self.guest.gave_up() => Ended::GaveUp,
            wanted = self.stop.asked() => match wanted {
                Wanted::AtOnce => Ended::Asked,
                Wanted::Drained => Ended::Draining,
            },
            () = self.guest.drain_wanted() => Ended::Draining,
            failed = serving => failed?,
        })
    }

    /// Sees to the rest of it. While it drains clients come in, and are told why there is nothing for them.
    pub(super) async fn finish(
        self,
        ended: Ended,
        mut serving: impl Future<Output = anyhow::Result<Ended>> + Unpin,
        grace: Duration,
    ) -> anyhow::Result<ExitCode> {
        let ended = match ended {
            Ended::Draining => tokio::select! {
                ended = drain::drain(self.guest, self.running, self.stop, grace) => ended?,
                failed = &mut serving => failed?,
            },
            ended => ended,
        };
        drop(serving);
        let Self {
            guest,
            running,
            stop,
            console,
        } = self;
        ended.finish(guest, running, stop, console).await
    }
}
