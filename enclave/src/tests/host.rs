//! A host on a Unix socket that answers as it should, and the enclave that it serves.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrysalis_attestation::{
    encoding::digest::sha256,
    evidence::binding::host_data,
    nvidia::{GpuCollateral, GpuEvidence},
    snp::report::REPORT_SIZE,
};
use chrysalis_simulate::{Nvidia as Vendor, nvidia::Gpu};
use chrysalis_wire::{
    boot::Stage,
    frame,
    host::{FromHost, GpuAnswer, Owed, Status, ToHost},
};
use ring::digest;
use tokio::{
    net::UnixListener,
    sync::{Notify, Semaphore},
    task::JoinHandle,
};

use super::owner::Owner;
use crate::{
    attest::Attested,
    boot::Booted,
    clock,
    engine::fake::{self, Play},
    failure::Failure,
    serve::Bounds,
};

const WEIGHTS: &[u8] = b"weights";

/// What a lying host has for GPUs. Honest ones are tested with the real host.
#[derive(Clone, Copy)]
pub(super) enum Gpus {
    /// It says that there are none.
    None,
    /// It sends an empty list.
    Empty,
    /// It sends one that answers nonsense.
    Nonsense,
    /// It has one of the simulated vendor's, which answers as [`FakeHost::gpu`] says.
    Simulated,
}

/// How a simulated GPU answers a question.
pub(super) type GpuAnswers = fn(&Vendor, &[u8; 32]) -> Vec<GpuAnswer>;

/// As it should.
pub(super) fn honest(vendor: &Vendor, nonce: &[u8; 32]) -> Vec<GpuAnswer> {
    answer(&vendor.gpu(0), nonce)
}

/// What one GPU answers.
pub(super) fn answer(gpu: &Gpu, nonce: &[u8; 32]) -> Vec<GpuAnswer> {
    let GpuEvidence { report, chain } = gpu.evidence(nonce);
    vec![GpuAnswer { report, chain }]
}

/// One GPU more than the machine has is known to the responder.
fn vendor() -> &'static Vendor {
    static VENDOR: LazyLock<Vendor> =
        LazyLock::new(|| Vendor::from_seed(&[5; 32], clock::now()).with_gpus(2));
    &VENDOR
}

impl Gpus {
    fn answer(self, answers: GpuAnswers, nonce: &[u8; 32]) -> FromHost {
        match self {
            Self::None => FromHost::Refused("there is none".to_owned()),
            Self::Simulated => FromHost::SimulatedGpus {
                gpus: answers(vendor(), nonce),
                roots: [vendor().device_root(), vendor().rim_root()].map(|root| sha256(&[root])),
            },
            Self::Empty | Self::Nonsense => FromHost::SimulatedGpus {
                gpus: self.answered(),
                roots: [[0; 32]; 2],
            },
        }
    }

    /// What vendors have signed.
    fn endorsements(self) -> FromHost {
        let collateral = match self {
            Self::Simulated => vendor().collateral(clock::now()),
            _ => GpuCollateral::default(),
        };
        FromHost::Endorsements {
            certificates: vec![vec![0x30]],
            crls: Vec::new(),
            tdx: Vec::new(),
            rims: collateral.rims,
            ocsp: collateral.ocsp.into_iter().map(|it| it.der).collect(),
            statements: vec![b"{}".to_vec()],
        }
    }

    /// What they say.
    pub(super) fn answered(self) -> Vec<GpuAnswer> {
        let report = GpuAnswer {
            report: vec![0x11; 100],
            chain: vec![vec![0x30, 0x00]; 5],
        };
        match self {
            Self::None | Self::Empty | Self::Simulated => Vec::new(),
            Self::Nonsense => vec![report],
        }
    }
}

/// A host on a Unix socket, and what it was told.
pub(crate) struct FakeHost {
    pub(crate) folder: tempfile::TempDir,
    told: Arc<Mutex<Vec<Status>>>,
    pub(super) stop: Arc<Notify>,
    pub(super) drain: Arc<Notify>,
    /// Whether the enclave set the GPUs ready.
    pub(super) ready: Arc<AtomicBool>,
    /// What the enclave showed of its GPUs.
    pub(super) shown: Arc<Mutex<Vec<GpuAnswer>>>,
    /// What its processor needs to sign a report: a test may take it away.
    pub(super) reports: Arc<Semaphore>,
    /// How its GPU answers from now on.
    pub(super) gpu: Arc<Mutex<GpuAnswers>>,
    /// What it knows of money.
    pub(super) bank: Arc<Mutex<Bank>>,
    /// Who has the keys of sealed models, if anyone.
    pub(super) owner: Owner,
    pub(super) configuration: Vec<u8>,
}

/// What a host knows of money, and was told.
#[derive(Default)]
pub(super) struct Bank {
    /// Spend key and ceiling of each lane, or why it may not be used; none is unknown.
    pub(super) lanes: BTreeMap<u32, Result<(Vec<u8>, u64), &'static str>>,
    /// How often a lane was asked about.
    pub(super) looked_up: u32,
    /// Without one it refuses.
    pub(super) floor: Option<u64>,
    /// Whether it notes nothing.
    pub(super) refuses: bool,
    pub(super) owed: Vec<Owed>,
    pub(super) reports: Vec<Vec<u8>>,
    /// Each message's offers, and its evidence.
    pub(super) offered: Vec<(Vec<Vec<u8>>, Vec<u8>)>,
    /// How many messages with offers it does not note at first.
    pub(super) deaf: u32,
}

impl Bank {
    fn answer(&mut self, asked: ToHost) -> FromHost {
        let refused = |why: &str| FromHost::Refused(why.to_owned());
        match asked {
            ToHost::Lane { lane, .. } => {
                self.looked_up += 1;
                match self.lanes.get(&lane).cloned() {
                    None => refused("lane_unknown"),
                    Some(Err(why)) => refused(why),
                    Some(Ok((spend_key, ceiling))) => FromHost::Lane { spend_key, ceiling },
                }
            }
            ToHost::Offers { .. } if self.deaf > 0 => {
                self.deaf -= 1;
                refused("this version does not know the question")
            }
            ToHost::Offers { offers, evidence } => {
                self.offered.push((offers, evidence));
                FromHost::Noted
            }
            ToHost::Terms => match self.floor {
                Some(floor) => FromHost::Terms { floor },
                None => refused("no terms"),
            },
            _ if self.refuses => refused("not now"),
            ToHost::Owed(owed) => {
                self.owed.extend(owed);
                FromHost::Noted
            }
            ToHost::Report(report) => {
                self.reports.push(report);
                FromHost::Noted
            }
            other => panic!("{other:?}"),
        }
    }
}

impl FakeHost {
    /// Serves `configuration`; the processor signs `launched_with` as its digest.
    pub(crate) fn start(configuration: Vec<u8>, launched_with: [u8; 32]) -> Self {
        Self::with_gpus(configuration, launched_with, Gpus::None)
    }

    /// As [`Self::start`], with these GPUs.
    pub(super) fn with_gpus(configuration: Vec<u8>, launched_with: [u8; 32], gpus: Gpus) -> Self {
        Self::with(configuration, launched_with, gpus, Owner::default())
    }

    /// As [`Self::start`], with sealed models of this owner.
    pub(super) fn owned(configuration: Vec<u8>, launched_with: [u8; 32], owner: Owner) -> Self {
        Self::with(configuration, launched_with, Gpus::None, owner)
    }

    fn with(configuration: Vec<u8>, launched_with: [u8; 32], gpus: Gpus, owner: Owner) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = "ab".repeat(32);
        std::fs::write(folder.path().join(format!("{root}.img")), WEIGHTS).unwrap();
        std::fs::create_dir(folder.path().join(root)).unwrap();
        let listener = UnixListener::bind(folder.path().join("host.sock")).unwrap();
        let host = Self {
            folder,
            told: Arc::default(),
            stop: Arc::default(),
            drain: Arc::default(),
            ready: Arc::default(),
            shown: Arc::default(),
            reports: Arc::new(Semaphore::new(1)),
            gpu: Arc::new(Mutex::new(honest)),
            bank: Arc::default(),
            owner: owner.clone(),
            configuration: configuration.clone(),
        };
        let (told, stop, ready) = (host.told.clone(), host.stop.clone(), host.ready.clone());
        let (shown, reports, gpu) = (host.shown.clone(), host.reports.clone(), host.gpu.clone());
        let (bank, drain) = (host.bank.clone(), host.drain.clone());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (told, stop, drain, ready, shown, reports, gpu, bank, owner, configuration) = (
                    told.clone(),
                    stop.clone(),
                    drain.clone(),
                    ready.clone(),
                    shown.clone(),
                    reports.clone(),
                    gpu.clone(),
                    bank.clone(),
                    owner.clone(),
                    configuration.clone(),
                );
                tokio::spawn(async move {
                    let answer = match frame::read_async(&mut stream).await.unwrap() {
                        ToHost::Configuration => FromHost::Configuration(configuration),
                        ToHost::Endorsements => gpus.endorsements(),
                        ToHost::Evidence { gpus, .. } => {
                            *shown.lock().unwrap() = gpus;
                            FromHost::Noted
                        }
                        ToHost::SimulatedReport { report_data } => {
                            let _at_work = reports.acquire().await.unwrap();
                            FromHost::SimulatedReport(report(report_data, launched_with))
                        }
                        ToHost::SimulatedGpus { nonce } => {
                            let answers = *gpu.lock().unwrap();
                            gpus.answer(answers, &nonce)
                        }
                        ToHost::SimulatedGpusReady => {
                            ready.store(true, Ordering::Relaxed);
                            FromHost::Noted
                        }
                        ToHost::Status(status) => {
                            told.lock().unwrap().push(status);
                            FromHost::Noted
                        }
                        ToHost::KeyServer => {
                            owner.answer(stream).await;
                            return;
                        }
                        ToHost::AwaitShutdown => {
                            stop.notified().await;
                            FromHost::Shutdown
                        }
                        ToHost::AwaitDrain => {
                            drain.notified().await;
                            FromHost::Drain
                        }
                        money => bank.lock().unwrap().answer(money),
                    };
                    // An enclave that has ended no longer listens.
                    let _ = frame::write_async(&mut stream, &answer).await;
                });
            }
        });
        host
    }

    pub(crate) fn words(&self) -> Vec<String> {
        let folder = self.folder.path().display();
        vec![
            "not_before=2026-11-29".to_owned(),
            "platform=simulated".to_owned(),
            format!("host=unix:{folder}"),
            format!("disks={folder}"),
        ]
    }

    /// Waits until the enclave serves.
    pub(super) async fn serves(&self, story: &JoinHandle<Result<(), Failure>>) {
        while self.stages().last() != Some(&Stage::Serving) {
            assert!(!story.is_finished(), "it did not come up");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) fn stages(&self) -> Vec<Stage> {
        let told = self.told.lock().unwrap();
        told.iter()
            .filter(|status| !matches!(status, Status::Load(_)))
            .map(|status| match status {
                Status::Passed { stage, .. } => Stage::named(stage).unwrap(),
                Status::Serving { .. } => Stage::Serving,
                other => panic!("{other:?}"),
            })
            .collect()
    }
}

pub(crate) fn configuration() -> Vec<u8> {
    let sha256 = hex::encode(digest::digest(&digest::SHA256, WEIGHTS));
    fake::configuration()
        .replace(&format!("context = {}", fake::CONTEXT), "context = 100000")
        .replace("size = 1", &format!("size = {}", WEIGHTS.len()))
        .replace(
            &format!("weights = \"{}\"", "ab".repeat(32)),
            &format!("weights = \"{sha256}\""),
        )
        .into_bytes()
}

/// A report of the real layout (version 3, Genoa, VCEK), unsigned.
fn report(report_data: [u8; 64], host_data: [u8; 32]) -> Vec<u8> {
    let mut report = vec![0; REPORT_SIZE];
    report[0x000] = 3;
    report[0x00A] = 3; // policy: bits 16 and 17
    report[0x034] = 1;
    report[0x050..0x090].copy_from_slice(&report_data);
    report[0x0C0..0x0E0].copy_from_slice(&host_data);
    report[0x188..0x18A].copy_from_slice(&[0x19, 0x11]);
    report[0x2A0] = 1;
    report[0x2E8] = 1;
    report
}

pub(super) async fn tell(words: Vec<String>) -> Result<(), Failure> {
    tell_within(words, Bounds::default()).await
}

async fn tell_within(words: Vec<String>, bounds: Bounds) -> Result<(), Failure> {
    attested(words, fake::echo)
        .await?
        .serve_within(bounds)
        .await
}

/// An enclave that is about to serve, whose engine plays this.
pub(super) async fn attested(words: Vec<String>, play: Play) -> Result<Attested, Failure> {
    Booted::from_measured_words(words)?
        .require_clock()?
        .load_driver()?
        .accept_configuration()
        .await?
        .open_disks()
        .await?
        .make_keys()
        .await?
        .check_gpus()
        .await?
        .unseal()
        .await?
        .start_fake_engines(play)
        .await?
        .attest()
        .await
}

/// An enclave that serves.
pub(super) async fn enclave() -> (FakeHost, JoinHandle<Result<(), Failure>>) {
    enclave_within(Bounds::default()).await
}

/// An enclave that serves within these bounds.
pub(super) async fn enclave_within(bounds: Bounds) -> (FakeHost, JoinHandle<Result<(), Failure>>) {
    enclave_of(configuration(), bounds).await
}

/// An enclave with another configuration.
pub(super) async fn enclave_of(
    configuration: Vec<u8>,
    bounds: Bounds,
) -> (FakeHost, JoinHandle<Result<(), Failure>>) {
    let digest = host_data(&configuration);
    let host = FakeHost::start(configuration, digest);
    let story = tokio::spawn(tell_within(host.words(), bounds));
    host.serves(&story).await;
    (host, story)
}
