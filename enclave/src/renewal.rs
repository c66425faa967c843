//! What keeps an enclave's word true after its first: at the end of each epoch, and at once on a sign of trouble, everything is asked
//! again that was asked before the enclave first listened. Each engine gives its known answer, each GPU answers a new question, and
//! the CPU signs; then the next epoch begins. If one of them fails, this ends, and with it all trust. docs/spec/epoch.md.

mod breaks;
mod clocks;
mod looks;
mod uevents;

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    attest::Attester,
    boot::Ground,
    engine::{Engines, Served},
    failure::Failure,
    unseal,
};
use looks::Looks;

/// The shortest time from one renewal to the next, so that a host that makes signs of trouble gets no more than that.
const PAUSE: Duration = Duration::from_secs(10);

/// Everything that is asked again.
pub(crate) struct Renewal {
    engines: Engines,
    attester: Arc<Attester>,
    length: Duration,
    looks: Looks,
    keys: unseal::Renewed,
}

impl Renewal {
    /// Prepares to ask, each time so long after the last.
    pub(crate) fn new(
        ground: &Ground,
        engines: Engines,
        attester: Arc<Attester>,
        length: Duration,
        keys: unseal::Renewed,
    ) -> Self {
        Self {
            keys,
            looks: Looks::new(ground.machine, engines.clone()),
            engines,
            attester,
            length,
        }
    }

    /// Asks again and again; returns why the enclave must end.
    pub(crate) async fn until_trust_ends(mut self) -> Failure {
        loop {
            let began = Instant::now();
            let why = self.reason(began + self.length).await;
            tracing::info!(why, "asking everything again");
            if let Err(failure) = self.renew().await {
                return failure;
            }
            let epoch = self.attester.epochs().current().claims.epoch;
            tracing::info!(epoch, "the next epoch began");
            sleep(PAUSE.min(self.length)).await;
        }
    }

    /// Waits for the first reason to ask.
    async fn reason(&mut self, end: Instant) -> String {
        tokio::select! {
            () = sleep_until(end) => "the epoch is over".to_owned(),
            sign = self.looks.next() => sign,
            why = self.attester.gpus_in_trouble() => format!("the GPUs: {why}"),
        }
    }

    async fn renew(&self) -> Result<(), Failure> {
        // Who may read a model is decided first: one that is withdrawn has no answer to give.
        self.keys.ask(&self.attester, &self.engines).await;
        let engines = self.engines.all().iter();
        let engines = engines.filter(|served| !served.is_withdrawn());
        let engines = try_join_all(engines.map(Served::require_known_answer));
        // GPUs need not wait for the turn of a busy engine, and what they say is known sooner.
        tokio::try_join!(self.attester.ask_gpus(), engines)?;
        self.attester.turn(&self.engines).await
    }
}
