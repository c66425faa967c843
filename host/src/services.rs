//! What the enclave asks of the host, answered: its configuration, its vendor's endorsements, the simulated reports,
//! and when to stop.
//!
//! The asker is whoever runs in the guest: its frames are bounded, its pace is timed, and no answer of the host decides
//! anything that is not measured or signed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrysalis_attestation::{evidence::Endorsements, nvidia::GpuEvidence};
use chrysalis_wire::{
    boot,
    frame::{FrameError, read_async, write_async},
    host::{FromHost, GpuAnswer, Status, ToHost},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::Semaphore,
    time::{sleep, timeout},
};

use crate::{
    guest::Guest,
    link::{Connection, Listener},
    simulation::Simulation,
    staple::Stapler,
    statements::Statements,
};

/// The most conversations at once; one more waits.
const MAX_CONVERSATIONS: usize = 32;
/// The longest that one question may take to arrive once it has begun, or one answer to be taken.
const FRAME_PATIENCE: Duration = Duration::from_secs(10);
/// The longest silence between two questions of one conversation.
const SILENCE: Duration = Duration::from_mins(5);
/// The rest when the system cannot accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often what is stapled is looked through for what ends soon.
const FRESHENING: Duration = Duration::from_hours(1);

/// Whose signatures the enclave's evidence carries.
pub(crate) enum Endorser {
    /// The simulated vendors', whose hardware the enclave asks.
    Simulated(Box<Mutex<Simulation>>),
    /// AMD's, Intel's and NVIDIA's, from a store; the enclave asks its own hardware for evidence.
    Stapled(Arc<Stapler>),
    /// Nobody's: relying parties bring them.
    Nobody,
}

/// Everything that the enclave may ask for.
pub(crate) struct Services {
    configuration: Vec<u8>,
    endorser: Endorser,
    statements: Statements,
    guest: Arc<Guest>,
}

impl Services {
    pub(crate) fn new(
        configuration: Vec<u8>,
        endorser: Endorser,
        statements: Statements,
        guest: Arc<Guest>,
    ) -> Arc<Self> {
        Arc::new(Self {
            configuration,
            endorser,
            statements,
            guest,
        })
    }

    /// Replaces what is stapled before it ends, for as long as it is polled: a guest may run for months.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        loop {
            sleep(FRESHENING).await;
            if let Some(Err(error)) = self.simulation().map(|mut it| it.renew()) {
                eprintln!("the simulation failed: {error:#}");
            }
            if let Endorser::Stapled(stapler) = &self.endorser {
                Arc::clone(stapler).fetch().await;
            }
            if let Err(error) = self.statements.renew() {
                eprintln!("the statements stay as they were read last: {error:#}");
            }
        }
    }

    /// Answers for as long as it is polled. What one asker does touches no other.
    pub(crate) async fn serve(self: Arc<Self>, listener: Listener) {
        let places = Arc::new(Semaphore::new(MAX_CONVERSATIONS));
        loop {
            // Never closed, so never an error.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let Ok(connection) = listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let services = Arc::clone(&self);
            tokio::spawn(async move {
                let _place = place;
                // An asker that leaves is no event; one that misspeaks or stalls is worth a line.
                match services.converse(connection).await {
                    Ok(()) | Err(FrameError::Closed | FrameError::Io(_)) => {}
                    Err(error) => {
                        eprintln!("the guest asked something that makes no sense: {error}");
                    }
                }
            });
        }
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
                    // Until it is answered the asker has nothing to say: it left, or it misspoke.
                    _ = connection.fill_buf() => return Ok(()),
                },
                ToHost::Evidence { quote, gpus } => self.fetch_for(quote, gpus).await,
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
            _ => FromHost::Refused("this chrysalis-host does not know the question".to_owned()),
        }
    }

    /// A simulated vendor has no service: all that it signs is at hand.
    async fn fetch_for(&self, quote: Vec<u8>, gpus: Vec<GpuAnswer>) -> FromHost {
        if let Endorser::Stapled(stapler) = &self.endorser {
            let evidence = |GpuAnswer { report, chain }| GpuEvidence { report, chain };
            let gpus = gpus.into_iter().map(evidence).collect();
            Arc::clone(stapler).fetch_for(quote, gpus).await;
        }
        FromHost::Noted
    }

    fn simulation(&self) -> Option<MutexGuard<'_, Simulation>> {
        let Endorser::Simulated(simulation) = &self.endorser else {
            return None;
        };
        Some(simulation.lock().unwrap_or_else(PoisonError::into_inner))
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
                eprintln!("{stage}");
            }
        };
        match status {
            Status::Passed { stage, at_ms } => passed(&stage, at_ms),
            Status::Serving { at_ms } => {
                passed(boot::Stage::Serving.name(), at_ms);
                self.guest.serves();
            }
            Status::Failed { code, message } => self.guest.failed(&code, &message),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        guest::{Failure, State},
        processor::tests::processor,
    };
    use chrysalis_attestation::{evidence::binding::host_data, release::Envelope};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        task::JoinHandle,
    };

    const CONFIGURATION: &[u8] = b"version = 1";

    fn services() -> Arc<Services> {
        with(Statements::open(&[]).unwrap())
    }

    fn with(statements: Statements) -> Arc<Services> {
        let processor = processor(host_data(CONFIGURATION));
        Services::new(
            CONFIGURATION.to_vec(),
            Endorser::Simulated(Box::new(Mutex::new(Simulation::of(processor, None)))),
            statements,
            Arc::new(Guest::new()),
        )
    }

    fn connect(services: &Arc<Services>) -> (DuplexStream, JoinHandle<Result<(), FrameError>>) {
        let (enclave, host) = duplex(1 << 16);
        let services = Arc::clone(services);
        (
            enclave,
            tokio::spawn(async move { services.converse(Box::new(host)).await }),
        )
    }

    async fn ask(enclave: &mut DuplexStream, question: &ToHost) -> FromHost {
        write_async(enclave, question).await.unwrap();
        read_async(enclave).await.unwrap()
    }

    #[tokio::test]
    async fn answers_one_question_after_another() {
        let services = services();
        let (mut enclave, _) = connect(&services);
        assert_eq!(
            ask(&mut enclave, &ToHost::Configuration).await,
            FromHost::Configuration(CONFIGURATION.to_vec())
        );
        let FromHost::Endorsements {
            certificates, crls, ..
        } = ask(&mut enclave, &ToHost::Endorsements).await
        else {
            panic!("no endorsements")
        };
        assert_eq!((certificates.len(), crls.len()), (3, 1));
        let FromHost::SimulatedReport(report) = ask(
            &mut enclave,
            &ToHost::SimulatedReport {
                report_data: [7; 64],
            },
        )
        .await
        else {
            panic!("no report")
        };
        assert_eq!(report.len(), 1184);
        assert_eq!(report[0x50..0x90], [7; 64]);
        assert_eq!(report[0xC0..0xE0], host_data(CONFIGURATION));
    }

    #[tokio::test]
    async fn brings_what_rebuilders_signed_beside_what_vendors_did() {
        let folder = tempfile::tempdir().unwrap();
        let statement = Envelope::new(b"{}".to_vec()).to_json().into_bytes();
        std::fs::write(folder.path().join("alice.json"), &statement).unwrap();
        let services = with(Statements::open(&[folder.path().to_owned()]).unwrap());
        let (mut enclave, _) = connect(&services);
        // A simulated vendor has no service to ask: what the guest shows is noted.
        let shown = ToHost::Evidence {
            quote: vec![4; 9],
            gpus: Vec::new(),
        };
        assert_eq!(ask(&mut enclave, &shown).await, FromHost::Noted);
        let FromHost::Endorsements {
            crls, statements, ..
        } = ask(&mut enclave, &ToHost::Endorsements).await
        else {
            panic!("no endorsements")
        };
        assert_eq!((crls.len(), statements), (1, vec![statement]));
    }

    #[tokio::test]
    async fn notes_how_far_the_guest_is() {
        let services = services();
        let (mut enclave, _) = connect(&services);
        let passed = Status::Passed {
            stage: "weights opened".to_owned(),
            at_ms: 1500,
        };
        for status in [passed, Status::Serving { at_ms: 2000 }] {
            assert_eq!(
                ask(&mut enclave, &ToHost::Status(status)).await,
                FromHost::Noted
            );
        }
        assert_eq!(services.guest.state(), State::Serving);
        let names: Vec<_> = services
            .guest
            .stages()
            .into_iter()
            .map(|stage| stage.name)
            .collect();
        assert_eq!(names, ["weights opened", "serving"]);
        let failed = Status::Failed {
            code: "engine_failed".to_owned(),
            message: "it\x07 died".to_owned(),
        };
        ask(&mut enclave, &ToHost::Status(failed)).await;
        let failure = Failure {
            code: "engine_failed".to_owned(),
            message: "it? died".to_owned(),
        };
        assert_eq!(services.guest.state(), State::Failed(failure));
    }

    #[tokio::test(start_paused = true)]
    async fn tells_whoever_waits_when_to_stop() {
        let services = services();
        let (mut enclave, _) = connect(&services);
        write_async(&mut enclave, &ToHost::AwaitShutdown)
            .await
            .unwrap();
        // Time stands until every task waits: the question has arrived.
        sleep(Duration::from_millis(1)).await;
        assert!(services.guest.ask_to_stop());
        assert_eq!(
            read_async::<FromHost>(&mut enclave).await.unwrap(),
            FromHost::Shutdown
        );
    }

    #[tokio::test]
    async fn forgets_a_waiting_asker_that_leaves() {
        let services = services();
        let (mut enclave, conversation) = connect(&services);
        write_async(&mut enclave, &ToHost::AwaitShutdown)
            .await
            .unwrap();
        drop(enclave);
        conversation.await.unwrap().unwrap();
        assert!(!services.guest.ask_to_stop());
    }

    #[tokio::test]
    async fn ends_a_conversation_of_hostile_frames_and_no_other() {
        let services = services();
        let (mut honest, _) = connect(&services);
        let too_long = u32::MAX.to_le_bytes().to_vec();
        let nonsense = [&4u32.to_le_bytes()[..], b"\xff\xff\xff\xff"].concat();
        let mut deep = 4000u32.to_le_bytes().to_vec();
        deep.resize(4004, 0x81);
        for frame in [too_long, nonsense, deep] {
            let (mut hostile, conversation) = connect(&services);
            hostile.write_all(&frame).await.unwrap();
            let ended = conversation.await.unwrap();
            assert!(
                matches!(
                    ended,
                    Err(FrameError::TooLong(_) | FrameError::Malformed(_))
                ),
                "{ended:?}"
            );
            assert_eq!(hostile.read(&mut [0]).await.unwrap(), 0);
        }
        ask(&mut honest, &ToHost::Configuration).await;
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_on_a_question_that_trickles() {
        let (mut slow, conversation) = connect(&services());
        slow.write_all(&100u32.to_le_bytes()).await.unwrap();
        let ended = conversation.await.unwrap();
        assert!(
            matches!(&ended, Err(FrameError::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut),
            "{ended:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn lets_go_of_an_asker_that_never_asks() {
        let (_silent, conversation) = connect(&services());
        conversation.await.unwrap().unwrap();
    }
}
