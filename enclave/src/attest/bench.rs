//! `make bench-attest`: how many fresh bundles a second, how late and how long, compared with one report for each question.
//!
//! Measured from a question's arrival at the desk until its bundle's bytes are there, without TLS and HTTP. One thread runs the
//! enclave's side and all clients; another is the host. Processor and GPU are simulated: their signatures are real, and the
//! processor takes 50 ms for a report, one at a time.

use std::{
    cell::RefCell,
    fmt::Write as _,
    os::unix::net::UnixListener,
    path::Path,
    rc::Rc,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use chrysalis_attestation::{
    Collateral, Unverified, Waivers,
    encoding::digest::sha256,
    evidence::{
        CpuReport, Evidence, Rest, Short,
        binding::{Anchor, Session, host_data},
        encode_gpus,
    },
    roots::Roots,
};
use chrysalis_simulate::{Amd, Launch, Nvidia};
use chrysalis_wire::{
    frame,
    host::{FromHost, GpuAnswer, ToHost},
};
use tokio::{sync::Semaphore, task::LocalSet};

use super::{Attester, Bounds, Desk};
use crate::{
    boot::Booted,
    clock,
    engine::fake,
    tests::host::{self, FakeHost},
};

/// How long the simulated processor takes for a report, its signature included.
const REPORT: Duration = Duration::from_millis(50);
/// How long each row is measured.
const LASTS: Duration = Duration::from_secs(10);
/// Clients, each of which asks again as soon as it has its answer.
const CLIENTS: usize = 1_200;
/// As many as found a place before questions were batched: 4 that were answered at once, and 64 that waited.
const CLIENTS_BEFORE: usize = 68;

/// A host whose processor and GPU sign, and what they sign under.
struct Vendors {
    amd: Amd,
    nvidia: Nvidia,
    launch: Launch,
    processor: Mutex<()>,
    /// Signed once, as vendors do.
    endorsements: FromHost,
}

/// What these vendors have signed about their hardware.
fn endorsements(amd: &Amd, nvidia: &Nvidia) -> FromHost {
    let (amd, gpus) = (amd.endorsements(), nvidia.collateral(clock::now()));
    FromHost::Endorsements {
        certificates: amd.certificates,
        crls: amd.crls,
        tdx: Vec::new(),
        rims: gpus.rims,
        ocsp: gpus.ocsp.into_iter().map(|it| it.der).collect(),
        statements: Vec::new(),
    }
}

impl Vendors {
    fn answer(&self, asked: &ToHost, configuration: &[u8]) -> FromHost {
        match asked {
            ToHost::Configuration => FromHost::Configuration(configuration.to_vec()),
            ToHost::Endorsements => self.endorsements.clone(),
            ToHost::SimulatedReport { report_data } => {
                let _one_at_a_time = self.processor.lock().unwrap();
                let asked = Instant::now();
                let report = self.amd.sign_report(&self.launch, *report_data);
                thread::sleep(REPORT.saturating_sub(asked.elapsed()));
                FromHost::SimulatedReport(report.to_vec())
            }
            ToHost::SimulatedGpus { nonce } => {
                let evidence = self.nvidia.gpu(0).evidence(nonce);
                let (report, chain) = (evidence.report, evidence.chain);
                let root = |root: &[u8]| sha256(&[root]);
                FromHost::SimulatedGpus {
                    gpus: vec![GpuAnswer { report, chain }],
                    roots: [self.nvidia.device_root(), self.nvidia.rim_root()].map(root),
                }
            }
            _ => FromHost::Noted,
        }
    }

    /// What a relying party that names these vendors trusts.
    fn roots(&self) -> Roots {
        let of_nvidia = [self.nvidia.device_root(), self.nvidia.rim_root()];
        let of_nvidia = of_nvidia.map(|root| sha256(&[root]));
        let named = [self.amd.root_sha256()].into_iter().chain(of_nvidia);
        named.fold(Roots::vendors(), Roots::and_simulated)
    }
}

/// An enclave on such a host.
async fn attester(folder: &Path, words: Vec<String>) -> (Attester, Arc<Vendors>) {
    let mut configuration = host::configuration();
    let section = "\n[gpu]\ncount = [1]\nminimum_driver = \"550.54\"\nrevocation = \"stapled\"\n";
    configuration.extend_from_slice(section.as_bytes());
    let now = clock::now();
    let amd = Amd::open_or_seed(&folder.join("amd"), [7; 32], now).unwrap();
    let nvidia = Nvidia::from_seed(&[7; 32], now);
    let vendors = Arc::new(Vendors {
        endorsements: endorsements(&amd, &nvidia),
        amd,
        nvidia,
        launch: Launch::new([0xD1; 48], host_data(&configuration), [0x1D; 32]),
        processor: Mutex::default(),
    });
    std::fs::remove_file(folder.join("host.sock")).unwrap();
    let listener = UnixListener::bind(folder.join("host.sock")).unwrap();
    let of_host = vendors.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, of_host) = (stream.unwrap(), of_host.clone());
            let configuration = configuration.clone();
            thread::spawn(move || {
                while let Ok(asked) = frame::read(&mut stream) {
                    let answer = of_host.answer(&asked, &configuration);
                    if frame::write(&mut stream, &answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    let booted = Booted::from_measured_words(words).unwrap();
    let ready = booted.require_clock().unwrap().load_driver().unwrap();
    let opened = ready.accept_configuration().await.unwrap();
    let keyed = opened.open_disks().await.unwrap().make_keys().await;
    let equipped = keyed.unwrap().check_gpus().await.unwrap();
    let unsealed = equipped.unseal().await.unwrap();
    let loaded = unsealed.start_fake_engines(fake::echo).await.unwrap();
    (loaded.attest().await.unwrap().attester, vendors)
}

/// A conversation that nobody had before.
fn session(number: u64) -> Session {
    let mut nonce = [0; 32];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    Session::Asked {
        nonce,
        exporter: [0xE4; 32],
    }
}

/// Checks that a bundle is about this session.
fn check(evidence: &Evidence, session: &Session, key: &[u8]) {
    let asked = session.digest(key);
    let asked = evidence
        .path
        .as_ref()
        .map_or(asked, |path| path.root(&asked));
    let CpuReport::Snp(report) = &evidence.cpu else {
        panic!("not SNP")
    };
    let anchor = Anchor::over(&asked, key, &evidence.claims);
    let expected = anchor.report_data(&encode_gpus(&evidence.gpus));
    assert_eq!(report[0x50..0x90], expected);
}

/// What was measured.
#[derive(Default)]
struct Row {
    latencies: Vec<Duration>,
    bytes: usize,
    asked: u64,
}

impl Row {
    fn print(mut self, name: &str, clients: usize) -> f64 {
        self.latencies.sort_unstable();
        let count = self.latencies.len();
        let at = |part: usize| self.latencies[(count * part / 100).min(count - 1)];
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let rate = f64::from(u32::try_from(count).unwrap()) / LASTS.as_secs_f64();
        let mut line = String::new();
        let _ = write!(line, "| {name} | {clients} | {rate:.0} ");
        let _ = write!(line, "| {:.0} | {:.0} ", ms(at(50)), ms(at(99)));
        println!("{line}| {} |", self.bytes / count);
        rate
    }
}

/// Lets clients ask, one question after the other, for as long as a row is measured.
async fn measure<F: Future<Output = Vec<u8>>>(
    clients: usize,
    ask: impl Fn(Session) -> F + Clone + 'static,
    check: impl Fn(&[u8], &Session) + Clone + 'static,
) -> Row {
    let row = Rc::new(RefCell::new(Row::default()));
    let began = Instant::now();
    let all = LocalSet::new();
    for _ in 0..clients {
        let (row, ask, check) = (row.clone(), ask.clone(), check.clone());
        all.spawn_local(async move {
            while began.elapsed() < LASTS {
                let number = row.borrow().asked;
                row.borrow_mut().asked += 1;
                let asked = Instant::now();
                let bundle = ask(session(number)).await;
                let latency = asked.elapsed();
                if began.elapsed() > LASTS {
                    break;
                }
                if number % 997 == 0 {
                    check(&bundle, &session(number));
                }
                let mut row = row.borrow_mut();
                row.latencies.push(latency);
                row.bytes += bundle.len();
            }
        });
    }
    all.await;
    Rc::into_inner(row).unwrap().into_inner()
}

#[tokio::test]
#[ignore = "`make bench-attest` runs it"]
async fn bench_attest() {
    let configuration = host::configuration();
    let fake = FakeHost::start(configuration, [0; 32]);
    let (attester, vendors) = attester(fake.folder.path(), fake.words()).await;
    let key = attester.keys().public();

    // One that is verified whole, as a relying party that names these vendors would; and what it then has.
    let alone = attester.answer(&[&session(u64::MAX)]).await.unwrap();
    let whole = alone.bundle(0, &[]).unwrap();
    let evidence = Evidence::decode(&whole).unwrap();
    let rest = Rest::of(&evidence);
    let none = Collateral::default();
    Unverified::new(evidence)
        .authenticate(&vendors.roots(), &none, clock::now())
        .and_then(|it| it.bind(&session(u64::MAX), &key))
        .and_then(|it| it.without_policy(&Waivers::default()))
        .unwrap();
    let has = *rest.digest();

    println!("| bundles | clients | bundles/s | p50 ms | p99 ms | bytes |");
    println!("|---|---:|---:|---:|---:|---:|");
    let of_whole = {
        let key = key.clone();
        move |bundle: &[u8], session: &Session| {
            check(&Evidence::decode(bundle).unwrap(), session, &key);
        }
    };
    // As it was: four questions at once, each with a report of its own.
    let attester = Arc::new(attester);
    let (turns, before) = (Rc::new(Semaphore::new(4)), attester.clone());
    let ask = move |session: Session| {
        let (turns, before) = (turns.clone(), before.clone());
        async move {
            let _turn = turns.acquire().await.unwrap();
            let batch = before.answer(&[&session]).await.unwrap();
            batch.bundle(0, &[]).unwrap()
        }
    };
    let row = measure(CLIENTS_BEFORE, ask, of_whole.clone()).await;
    let before = row.print("one report each, whole", CLIENTS_BEFORE);

    let desk = Rc::new(Desk::open(attester, Bounds::default()));
    let asking = |have: Vec<[u8; 32]>| {
        let desk = desk.clone();
        move |session: Session| {
            let (desk, have) = (desk.clone(), have.clone());
            async move {
                let answer = desk.ask(session).await.unwrap();
                answer.bundle(&have).unwrap()
            }
        }
    };
    let row = measure(CLIENTS, asking(Vec::new()), of_whole).await;
    row.print("batches, whole", CLIENTS);
    let of_short = move |bundle: &[u8], session: &Session| {
        let short = Short::decode(bundle).unwrap().unwrap();
        check(&short.fill(&rest).unwrap(), session, &key);
    };
    let row = measure(1, asking(vec![has]), of_short.clone()).await;
    row.print("batches, short, one client", 1);
    let row = measure(CLIENTS, asking(vec![has]), of_short).await;
    let after = row.print("batches, short", CLIENTS);
    println!("\n{:.0} times as many bundles as before", after / before);
}
