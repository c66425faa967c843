use super::*;
use crate::{
    guest::{Failure, State},
    listing::tests,
    simulation::processor::tests::processor,
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
    listed(statements, None)
}

fn listed(statements: Statements, lister: Option<Arc<Lister>>) -> Arc<Services> {
    let processor = processor(host_data(CONFIGURATION));
    Services::new(
        CONFIGURATION.to_vec(),
        Endorser::simulated(Simulation::of(processor, None)),
        statements,
        Arc::new(Cashier::unpaid(20)),
        lister,
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
        stage: "disks opened".to_owned(),
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
    assert_eq!(names, ["disks opened", "serving"]);
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
async fn tells_a_waiting_asker_when_to_stop() {
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

#[tokio::test]
async fn notes_how_busy_the_guest_is() {
    let services = services();
    let (mut enclave, _) = connect(&services);
    let load = crate::guest::load::tests::load("m", 8);
    let said = ToHost::Status(Status::Load(load.clone()));
    assert_eq!(ask(&mut enclave, &said).await, FromHost::Noted);
    let busy = services.guest.busy(std::time::Instant::now()).unwrap();
    assert_eq!(busy.load, load);
}

#[tokio::test]
async fn a_host_without_a_network_notes_offers_and_forgets_them() {
    let (mut enclave, _) = connect(&services());
    let offers = ToHost::Offers {
        offers: vec![vec![1]],
        evidence: vec![2],
    };
    assert_eq!(ask(&mut enclave, &offers).await, FromHost::Noted);
}

#[tokio::test]
async fn a_network_that_is_free_gets_offers_and_reports_too() {
    let lister = tests::idle();
    let services = listed(Statements::open(&[]).unwrap(), Some(Arc::clone(&lister)));
    let (mut enclave, _) = connect(&services);
    let offers = |offers| ToHost::Offers {
        offers,
        evidence: tests::evidence(0),
    };
    let good = offers(vec![tests::offer("tiny", tests::CLASS, 0)]);
    assert_eq!(ask(&mut enclave, &good).await, FromHost::Noted);
    let report = ToHost::Report(tests::report(0));
    assert_eq!(ask(&mut enclave, &report).await, FromHost::Noted);
    assert_eq!(lister.counts().waiting.read(), 1);
    let refused = |code: &str| FromHost::Refused(code.to_owned());
    let bad = offers(vec![vec![0]]);
    assert_eq!(ask(&mut enclave, &bad).await, refused("offer_malformed"));
    let bad = ToHost::Report(vec![0]);
    assert_eq!(ask(&mut enclave, &bad).await, refused("report_malformed"));
}

#[tokio::test]
async fn a_host_without_a_payee_still_names_its_price() {
    let (mut enclave, _) = connect(&services());
    let terms = FromHost::Terms { floor: 20 };
    assert_eq!(ask(&mut enclave, &ToHost::Terms).await, terms);
    let lane = ToHost::Lane {
        purse: vec![1; 32],
        lane: 7,
    };
    let unknown = FromHost::Refused("lane_unknown".to_owned());
    assert_eq!(ask(&mut enclave, &lane).await, unknown);
    for question in [ToHost::Owed(Vec::new()), ToHost::Report(vec![0xA0])] {
        let FromHost::Refused(why) = ask(&mut enclave, &question).await else {
            panic!("taken")
        };
        assert!(why.contains("--payee"), "{why}");
    }
}
