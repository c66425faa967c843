use super::*;
use crate::{clock::now, processor::tests::processor};
use chrysalis_attestation::{
    Time, Waivers, alone, nvidia,
    roots::Roots,
    snp::needs::{ReportKey, report_key},
    tdx,
};
use chrysalis_collateral::{FetchError, Service, Update};
use chrysalis_simulate::{
    Intel, Nvidia,
    intel::TdProfile,
    service::{self, Answered, Asked, TCB_INFO},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
};

/// A vendor's service on this machine. The last answer to a question counts; there is none to others.
#[derive(Clone, Default)]
struct Vendors(Arc<Mutex<Vec<Answered>>>);

impl Vendors {
    fn start(answers: Vec<Answered>) -> (Self, Vec<Mirrors>) {
        let vendors = Self(Arc::new(Mutex::new(answers)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let serving = vendors.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                serving.serve(connection);
            }
        });
        let mirror = |service: &Service| format!("{service}={base}").parse().unwrap();
        (vendors, Service::ALL.iter().map(mirror).collect())
    }

    fn serve(&self, mut connection: TcpStream) {
        let (path, body) = question(&connection);
        let asks = |answered: &&Answered| match &answered.to {
            Asked::Get(of) => path.contains(of),
            Asked::About(bytes) => body.windows(bytes.len()).any(|it| it == bytes),
        };
        let answers = held(&self.0);
        let (status, headers, body) = match answers.iter().rev().find(asks) {
            Some(answered) => (200, &answered.headers[..], &answered.body[..]),
            None => (404, &[][..], &[][..]),
        };
        let headers: String = headers.iter().flat_map(|line| [line, "\r\n"]).collect();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
            body.len()
        );
        let _ = connection.write_all(&[head.as_bytes(), body].concat());
    }

    fn forget(&self, path: &str) {
        let path = Asked::Get(path.to_owned());
        held(&self.0).retain(|answered| answered.to != path);
    }
}

/// Path and body of what is asked.
fn question(connection: &TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(connection);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim_end().is_empty() {
            break;
        }
        lines.push(line);
    }
    let length = lines
        .iter()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.trim().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let path = lines.first().and_then(|line| line.split(' ').nth(1));
    (path.unwrap_or_default().to_owned(), body)
}

/// A TD with a GPU, the vendors that know both, and a stapler that knows neither.
struct Case {
    intel: Intel,
    nvidia: Nvidia,
    vendors: Vendors,
    quote: Vec<u8>,
    gpus: Vec<GpuEvidence>,
    stapler: Arc<Stapler>,
    _folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let now = now().unwrap();
        let (intel, nvidia) = (
            Intel::from_seed(&[7; 32], now),
            Nvidia::from_seed(&[8; 32], now),
        );
        let gpus = vec![nvidia.gpu(0).evidence(&[1; 32])];
        let mut answers = service::intel(&intel.collateral(now));
        answers.extend(service::nvidia(&nvidia, &gpus[0], now).unwrap());
        let (vendors, mirrors) = Vendors::start(answers);
        let anchors = Anchors {
            intel: intel.roots(),
            nvidia: nvidia.roots(),
            ..Anchors::vendors()
        };
        let folder = tempfile::tempdir().unwrap();
        let mut stapler = Stapler::new(folder.path(), None, &mirrors, anchors).unwrap();
        stapler.limits.spacing = Duration::ZERO;
        Self {
            quote: intel.quote(&TdProfile::default()),
            intel,
            nvidia,
            vendors,
            gpus,
            stapler: Arc::new(stapler),
            _folder: folder,
        }
    }

    async fn show(&self, quote: Vec<u8>, gpus: Vec<GpuEvidence>) -> Endorsements {
        Arc::clone(&self.stapler).fetch_for(quote, gpus).await;
        self.stapler.endorsements()
    }
}

#[tokio::test]
async fn staples_what_the_guests_own_evidence_calls_for() {
    let case = Case::new();
    Arc::clone(&case.stapler).fetch().await;
    assert_eq!(case.stapler.endorsements(), Endorsements::default());
    // First the GPUs, then the quote, as a boot goes; the first are not forgotten.
    let first = case.show(Vec::new(), case.gpus.clone()).await;
    assert_eq!(
        (first.tdx.len(), first.rims.len(), first.ocsp.len()),
        (0, 2, 6)
    );
    let stapled = case.show(case.quote.clone(), Vec::new()).await;
    assert_eq!((&stapled.rims, &stapled.ocsp), (&first.rims, &first.ocsp));

    let policy = tdx::TdxPolicy::genuine("this test is about the collateral");
    let question = alone::tdx::TdxQuestion {
        roots: &case.intel.roots(),
        collateral: &tdx::IntelCollateral::parse(&stapled.tdx).unwrap(),
        policy: Some(&policy),
        release: None,
        rebuilders: None,
        report_data: None,
        waivers: Waivers::none(),
        now: now().unwrap(),
    };
    alone::tdx::verify(&case.quote, &question).unwrap();
    let policy = nvidia::GpuPolicy {
        proof: nvidia::policy::Proof {
            revocation: nvidia::policy::Revocation::Stapled,
            ..nvidia::policy::Proof::complete()
        },
        wanted: nvidia::policy::Wanted::any("this test is about the collateral"),
    };
    let question = alone::gpus::GpuQuestion {
        nonce: &[1; 32],
        roots: &case.nvidia.roots(),
        collateral: &nvidia::GpuCollateral {
            rims: stapled.rims,
            ocsp: stapled.ocsp,
        },
        policy: Some(&policy),
        waivers: Waivers::none(),
        now: now().unwrap(),
    };
    alone::gpus::verify(&case.gpus, &question).unwrap();
}

#[tokio::test]
async fn what_cannot_be_had_is_told_and_costs_nothing_else() {
    let case = Case::new();
    case.vendors.forget(TCB_INFO);
    let stapled = case.show(case.quote.clone(), case.gpus.clone()).await;
    assert_eq!((stapled.tdx.len(), stapled.rims.len()), (0, 2));
    let lacking = Object::TcbInfo(tdx::needs::of_quote(&case.quote).unwrap().fmspc);
    let told = |object: &Object, stored_until| {
        let url = "https://vendor".to_owned();
        let error = FetchError::NotKnown { url };
        let failure = Failure {
            error,
            stored_until,
        };
        let told = case.stapler.told(object, &failure);
        let (line, hint) = told.split_once("\nhint: ").unwrap();
        assert!(!hint.is_empty());
        line.rsplit_once("; ").unwrap().1.to_owned()
    };
    assert_eq!(
        told(&lacking, None),
        "none is stapled, and relying parties bring it or refuse"
    );
    assert_eq!(
        told(&Object::QeIdentity, Some(Time(0))),
        "the one that is stapled holds until 1970-01-01 00:00 UTC"
    );
    assert_eq!(
        told(&Object::QeIdentity, None),
        "the one that is stapled has ended, and relying parties refuse it"
    );
}

#[tokio::test]
async fn a_guest_that_shows_nonsense_or_too_much_has_nothing_fetched() {
    let case = Case::new();
    let nonsense = GpuEvidence {
        report: vec![0x11; 100],
        chain: vec![vec![0x30, 0]; 5],
    };
    let stapled = case.show(vec![4; 100], vec![nonsense]).await;
    assert_eq!(stapled, Endorsements::default());
    assert!(case.stapler.wish().is_empty());
    for _ in 0..FETCHES_FOR_GUEST {
        assert!(case.stapler.remember(case.quote.clone(), Vec::new()));
    }
    assert!(!case.stapler.remember(case.quote.clone(), Vec::new()));
    // The host's own look goes by what was shown, and gives the guest a new allowance.
    Arc::clone(&case.stapler).fetch().await;
    assert!(!case.stapler.endorsements().tdx.is_empty());
    assert!(case.stapler.remember(case.quote.clone(), Vec::new()));
}

#[test]
fn staples_what_was_fetched_for_the_chip() {
    let mut processor = processor([5; 32]);
    let signed = processor.endorsements().unwrap();
    let ReportKey::Chip(chip) = report_key(&processor.report([6; 64])).unwrap() else {
        panic!("a VCEK signs")
    };
    let get = |path: &str, body: &[u8]| Answered {
        to: Asked::Get(path.to_owned()),
        headers: Vec::new(),
        body: body.to_vec(),
    };
    let (_, mirrors) = Vendors::start(vec![
        get("/crl", &signed.crls[0]),
        get("blSPL=", &signed.certificates[0]),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let anchors = Roots {
        amd: Roots::vendors().amd.and_simulated(processor.root_sha256()),
        ..Roots::vendors()
    };
    let stapler = Stapler::new(folder.path(), Some(chip), &mirrors, anchors).unwrap();
    // The root and its intermediate are in no verifier of AMD's; here they stand in for the pinned ones.
    let wish = Wish::of_report(&processor.report([6; 64]), &signed.certificates[1..]).unwrap();
    let gathered = Fetcher {
        store: &stapler.store,
        mirrors: &stapler.mirrors,
        update: Update::Standard,
        anchors: &stapler.anchors,
        http: &Http::new(),
        world: &System::new(),
        limits: Limits::default(),
        hear: &mut |_| (),
    }
    .gather(&wish, Refresh::Due);
    assert!(gathered.iter().all(|it| it.outcome.is_ok()), "{gathered:?}");
    stapler.staple();
    let found = stapler.endorsements();
    assert_eq!(found.certificates, signed.certificates[..1]);
    assert_eq!(found.crls, signed.crls);
}

#[test]
fn staples_nothing_that_is_not_amds() {
    let mut processor = processor([5; 32]);
    let signed = processor.endorsements().unwrap();
    let ReportKey::Chip(chip) = report_key(&processor.report([6; 64])).unwrap() else {
        panic!("a VCEK signs")
    };
    let (_, mirrors) = Vendors::start(vec![Answered {
        to: Asked::Get(String::new()),
        headers: Vec::new(),
        body: signed.certificates[0].clone(),
    }]);
    let folder = tempfile::tempdir().unwrap();
    let stapler = Stapler::new(folder.path(), Some(chip), &mirrors, Anchors::vendors()).unwrap();
    stapler.fetch_in(&System::new());
    assert_eq!(stapler.endorsements(), Endorsements::default());
}
