//! What the enclave asks of the host, answered: its configuration, its vendor's endorsements, the simulated reports, what concerns
//! payment, and when to stop.
//!
//! Anything may run in the guest: its frames are bounded, its pace is timed, and no answer of the host decides anything
//! that is not measured or signed.

pub(crate) mod endorser;
mod key_server;
mod staple;
pub(crate) mod statements;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, MutexGuard},
    time::Duration,
};

use chrysalis_attestation::{evidence::Endorsements, nvidia::GpuEvidence};
use chrysalis_wire::{
    frame::{FrameError, read_async, write_async},
    host::{FromHost, GpuAnswer, Status, ToHost},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::{sleep, timeout},
};

use self::{endorser::Endorser, statements::Statements};
use crate::{
    accept,
    cashier::Cashier,
    guest::{
        Guest,
        link::{Connection, Listener},
    },
    listing::Lister,
    mutex::held,
    simulation::Simulation,
    talk::{say, tell},
};

/// The most conversations at once; one more waits.
const MAX_CONVERSATIONS: usize = 32;
/// The longest that one question may take to arrive once it has begun, or one answer to be taken.
const FRAME_PATIENCE: Duration = Duration::from_secs(10);
/// The longest silence between two questions of one conversation.
const SILENCE: Duration = Duration::from_mins(5);
/// How often what is stapled is searched for what expires soon.
const FRESHENING: Duration = Duration::from_hours(1);

/// Everything that the enclave may ask for.
pub(crate) struct Services {
    configuration: Vec<u8>,
    /// Where the keys of sealed models are.
    key_server: Option<String>,
    endorser: Endorser,
    statements: Statements,
    cashier: Arc<Cashier>,
    /// None in a run without a network.
    lister: Option<Arc<Lister>>,
    guest: Arc<Guest>,
}

impl Services {
    pub(crate) fn new(
        configuration: Vec<u8>,
        endorser: Endorser,
        statements: Statements,
        cashier: Arc<Cashier>,
        lister: Option<Arc<Lister>>,
        guest: Arc<Guest>,
    ) -> Arc<Self> {
        Arc::new(Self {
            key_server: key_server::address(&configuration),
            configuration,
            endorser,
            statements,
            cashier,
            lister,
            guest,
        })
    }

    /// Replaces what is stapled before it expires, for as long as it is polled: a guest may run for months.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        loop {
            sleep(FRESHENING).await;
            if let Some(Err(error)) = self.simulation().map(|mut it| it.renew()) {
                say(format_args!("the simulation failed: {error:#}"));
            }
            if let Endorser::Stapled(stapler) = &self.endorser {
                Arc::clone(stapler).fetch().await;
            }
            if let Err(error) = self.statements.renew() {
                say(format_args!(
                    "keeping the statements that were read last: {error:#}"
                ));
            }
        }
    }

    /// Answers for as long as it is polled.
    pub(crate) async fn serve(self: Arc<Self>, listener: Listener) {
        let answer = |connection| {
            let services = Arc::clone(&self);
            async move {
                // That an asker leaves is normal; that it sends nonsense is worth a line.
                match services.converse(connection).await {
                    Ok(()) | Err(FrameError::Closed | FrameError::Io(_)) => {}
                    Err(error) => {
                        say(format_args!(
                            "the guest asked something that makes no sense: {error}"
                        ));
                    }
                }
            }
        };
        accept::serve(MAX_CONVERSATIONS, || listener.accept(), answer).await;
    }

    async fn converse(&self, connection: Connection) -> Result<(), FrameError> {
        let mut connection = BufReader::new(connection);
        loop {
            // The next question may take its time to begin, but not to arrive.
            let Ok(begun) = timeout(SILENCE, connection.fill_buf()).await else {
                return Ok(());
            };
            if begun?.is_empty() {
                return Ok(());
            }
            let question = in_time(read_async(&mut connection)).await?;
            let answer = match question {
                ToHost::AwaitShutdown => tokio::select! {
                    () = self.guest.asked_to_stop() => FromHost::Shutdown,
                    // Until it is answered the asker has nothing to say: it left, or it broke the protocol.
                    _ = connection.fill_buf() => return Ok(()),
                },
                ToHost::KeyServer => {
                    return key_server::carry(&mut connection, self.key_server.as_deref()).await;
                }
                ToHost::AwaitDrain => tokio::select! {
                    () = self.guest.asked_to_drain() => FromHost::Drain,
                    _ = connection.fill_buf() => return Ok(()),
                },
                ToHost::Evidence { quote, gpus } => self.fetch_for(quote, gpus).await,
                question @ (ToHost::Lane { .. } | ToHost::Owed(_) | ToHost::Terms) => {
                    self.cashier.answer(question).await
                }
                ToHost::Report(report) => self.report(report).await,
                ToHost::Offers { offers, evidence } => self.offers(offers, &evidence),
                question => self.answer(question),
            };
            in_time(write_async(&mut connection, &answer)).await?;
        }
    }

    fn answer(&self, question: ToHost) -> FromHost {
        match question {
            ToHost::Configuration => FromHost::Configuration(self.configuration.clone()),
            ToHost::Endorsements => match self.endorsements() {
                Ok(endorsements) => brought(endorsements),
                Err(error) => FromHost::Refused(format!("the simulation failed: {error:#}")),
            },
            ToHost::SimulatedReport { report_data } => {
                self.simulated(|simulation| simulation.report(report_data))
            }
            ToHost::SimulatedGpus { nonce } => {
                self.simulated(|simulation| simulation.ask_gpus(&nonce))
            }
            ToHost::SimulatedGpusReady => self.simulated(Simulation::set_gpus_ready),
            ToHost::Status(status) => {
                self.note(status);
                FromHost::Noted
            }
            _ => FromHost::Refused(
                "this version of chrysalis-host does not know the question".to_owned(),
            ),
        }
    }

    /// Kept where there is a payee, and passed on where there is a network.
    async fn report(&self, report: Vec<u8>) -> FromHost {
        let Some(lister) = &self.lister else {
            return self.cashier.answer(ToHost::Report(report)).await;
        };
        if self.cashier.is_paid() {
            let kept = self.cashier.answer(ToHost::Report(report.clone())).await;
            if kept != FromHost::Noted {
                return kept;
            }
        }
        lister
            .report(report)
            .map_or_else(FromHost::Refused, |()| FromHost::Noted)
    }

    /// Without a network they are forgotten.
    fn offers(&self, offers: Vec<Vec<u8>>, evidence: &[u8]) -> FromHost {
        let listed = self.lister.as_ref();
        let listed = listed.map_or(Ok(()), |lister| lister.offer(offers, evidence));
        listed.map_or_else(FromHost::Refused, |()| FromHost::Noted)
    }

    /// A simulated vendor has no service to ask: everything it signs is at hand.
    async fn fetch_for(&self, quote: Vec<u8>, gpus: Vec<GpuAnswer>) -> FromHost {
        if let Endorser::Stapled(stapler) = &self.endorser {
            let evidence = |GpuAnswer { report, chain }| GpuEvidence { report, chain };
            let gpus = gpus.into_iter().map(evidence).collect();
            Arc::clone(stapler).fetch_for(quote, gpus).await;
        }
        FromHost::Noted
    }

    fn simulation(&self) -> Option<MutexGuard<'_, Simulation>> {
        match &self.endorser {
            Endorser::Simulated(simulation) => Some(held(simulation)),
            Endorser::Stapled(_) | Endorser::None => None,
        }
    }

    fn simulated(&self, answer: impl FnOnce(&Simulation) -> FromHost) -> FromHost {
        match self.simulation() {
            Some(simulation) => answer(&simulation),
            None => FromHost::Refused("nothing is simulated here: ask the hardware".to_owned()),
        }
    }

    fn endorsements(&self) -> anyhow::Result<Endorsements> {
        let vendors = match (&self.endorser, self.simulation()) {
            (_, Some(mut simulation)) => simulation.endorsements()?,
            (Endorser::Stapled(stapler), None) => stapler.endorsements(),
            (_, None) => Endorsements::default(),
        };
        Ok(Endorsements {
            statements: self.statements.current(),
            ..vendors
        })
    }

    fn note(&self, status: Status) {
        let passed = |name: &str, at_ms| {
            if let Some(stage) = self.guest.passed(name, at_ms) {
                tell("stage", &json!({ "stage": stage }), &stage);
            }
        };
        match status {
            Status::Passed { stage, at_ms } => passed(&stage, at_ms),
            Status::Serving { at_ms } => {
                passed("serving", at_ms);
                self.guest.serves();
            }
            Status::Failed { code, message } => self.guest.failed(&code, &message),
            Status::Load(load) => self.guest.loaded(load),
            _ => {}
        }
    }
}

fn brought(endorsements: Endorsements) -> FromHost {
    FromHost::Endorsements {
        certificates: endorsements.certificates,
        crls: endorsements.crls,
        tdx: endorsements.tdx,
        rims: endorsements.rims,
        ocsp: endorsements
            .ocsp
            .into_iter()
            .map(|answer| answer.der)
            .collect(),
        statements: endorsements.statements,
    }
}

async fn in_time<T>(frame: impl Future<Output = Result<T, FrameError>>) -> Result<T, FrameError> {
    timeout(FRAME_PATIENCE, frame)
        .await
        .unwrap_or_else(|_| Err(FrameError::Io(std::io::ErrorKind::TimedOut.into())))
}
