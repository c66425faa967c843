//! `revocation = "asked"`, and the default: what shipped code does to meet either, and what becomes of those that cannot be met.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use chrysalis_attestation::{
    nvidia::{needs::Questioned, ocsp::OcspAnswer},
    policy::Policy,
};
use chrysalis_client::{Ask, AttestedConnection, Deadlines, Error, RelyingParty, system_time};
use chrysalis_simulate::service;
use chrysalis_tests::paths;
use serde_json::Value;
use tempfile::TempDir;

use crate::stage::{Enclave, Host, gpu_policy_text, nvidia};

const ASKED: &str = "revocation = \"asked\"";

fn relying_party(revocation: &str) -> RelyingParty {
    let policy = Policy::parse(&gpu_policy_text(revocation)).unwrap();
    RelyingParty::new(policy)
}

async fn connect(party: &RelyingParty) -> Result<AttestedConnection, Error> {
    let host = Host::serving(Enclave::with_gpu()).await;
    let outcome = AttestedConnection::connect(&host.target(), party).await;
    let seen = host.seen();
    assert_eq!(seen.matches("\r\n\r\n").count(), 1, "{seen}");
    outcome
}

/// An answer to this nonce about each certificate, signed now.
fn answered(about: &[Questioned], nonce: [u8; 32]) -> Vec<OcspAnswer> {
    let answer = |it: &Questioned| {
        let question = chrysalis_attestation::nvidia::ocsp::question;
        let question = question(&it.subject, &it.issuer, &nonce).unwrap();
        OcspAnswer {
            der: service::responder(nvidia(), &question, system_time()).unwrap(),
            nonce: Some(nonce),
        }
    };
    about.iter().map(answer).collect()
}

#[tokio::test]
async fn a_policy_that_is_silent_on_revocation_is_met_without_asking_anybody() {
    let ask: Ask = Arc::new(|_| panic!("nobody wants that"));
    for revocation in ["", "revocation = \"stapled\"", "stapled_hours = 7"] {
        let party = relying_party(revocation);
        assert!(connect(&party).await.is_ok());
        assert!(connect(&party.asking(Arc::clone(&ask))).await.is_ok());
    }
    // The simulated vendor's are six hours old.
    let error = connect(&relying_party("stapled_hours = 5")).await;
    assert_eq!(error.map(drop).unwrap_err().code(), "ocsp_too_old");
}

#[tokio::test]
async fn a_policy_that_wants_revocation_asked_is_met_by_asking() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let party = relying_party(ASKED).asking(Arc::new(move |about| {
        count.fetch_add(about.len(), SeqCst);
        Ok(answered(about, [5; 32]))
    }));
    let enclave = connect(&party).await.unwrap();
    assert_eq!(asked.load(SeqCst), 6);
    // What was saved can be verified again, by asking again.
    party.verify_session(enclave.saved_session()).unwrap();
    assert_eq!(asked.load(SeqCst), 12);
}

#[tokio::test]
async fn a_policy_that_wants_revocation_asked_is_met_by_nothing_else() {
    let refused = async |party: RelyingParty| {
        let error = connect(&party).await.map(drop).unwrap_err();
        (error.code(), error.is_verdict())
    };
    assert_eq!(
        refused(relying_party(ASKED)).await,
        ("ocsp_stapled_refused", true)
    );
    let replayed: Ask = Arc::new(|about| {
        let mut answers = answered(about, [5; 32]);
        answers[2].nonce = Some([6; 32]);
        Ok(answers)
    });
    assert_eq!(
        refused(relying_party(ASKED).asking(replayed)).await,
        ("ocsp_nonce_mismatch", true)
    );
    let nothing: Ask = Arc::new(|_| Ok(Vec::new()));
    assert_eq!(
        refused(relying_party(ASKED).asking(nothing)).await,
        ("ocsp_stapled_refused", true)
    );
    let cut_off: Ask = Arc::new(|_| Err("no route".to_owned()));
    assert_eq!(
        refused(relying_party(ASKED).asking(cut_off)).await,
        ("revocation_unasked", false)
    );
}

#[tokio::test]
async fn a_responder_that_keeps_silent_holds_nobody_up_for_ever() {
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let hasty = Deadlines {
        revocation: Duration::from_millis(100),
        ..Deadlines::default()
    };
    let party = relying_party(ASKED).with_deadlines(hasty);
    let party = party.asking(Arc::new(move |_| {
        let _ = held.lock().unwrap().recv();
        Err("released".to_owned())
    }));
    let error = connect(&party).await.map(drop).unwrap_err();
    assert!(
        matches!(&error, Error::Unasked { why } if why == "no answer within 0.1 s"),
        "{error}"
    );
    drop(release);
}

// The command line.

/// A responder of this machine's that signs what it is asked; how often it was.
fn responder() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mirror = format!("nvidia-ocsp=http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut reader = BufReader::new(&connection);
            let head = reader.by_ref().lines().map_while(Result::ok);
            let head: Vec<_> = head.take_while(|line| !line.is_empty()).collect();
            let length = head.iter().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let length = value.trim().parse().ok()?;
                name.eq_ignore_ascii_case("content-length")
                    .then_some(length)
            });
            let mut question = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut question).unwrap();
            let answer = service::responder(nvidia(), &question, system_time()).unwrap();
            count.fetch_add(1, SeqCst);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                answer.len()
            );
            connection
                .write_all(&[head.as_bytes(), &answer].concat())
                .unwrap();
        }
    });
    (mirror, asked)
}

fn folder(revocation: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let policy = gpu_policy_text(revocation);
    fs::write(folder.path().join("policy.toml"), policy).unwrap();
    folder
}

/// Exit code, stdout, stderr.
async fn chrysalis(folder: &TempDir, arguments: &[&str]) -> (i32, String, String) {
    let program = paths::tool("chrysalis").canonicalize();
    let mut command = Command::new(program.expect("cargo build -p chrysalis makes it"));
    command
        .args(arguments)
        .current_dir(folder.path())
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn the_command_line_asks_where_the_policy_wants_it() {
    let host = Host::serving(Enclave::with_gpu()).await;
    let url = host.target().to_string();
    let folder = folder(ASKED);
    let (mirror, asked) = responder();
    let saved = ["verify", "saved.cbor", "--policy", "policy.toml"];

    // Over the network, and what was saved.
    let first = [
        "verify",
        &url,
        "--policy",
        "policy.toml",
        "--mirror",
        &mirror,
        "--save",
        "saved.cbor",
    ];
    let (code, verdict, talk) = chrysalis(&folder, &first).await;
    assert_eq!(code, 0, "{verdict}{talk}");
    assert!(
        verdict.contains("\ntrusted (simulated) until "),
        "{verdict}"
    );
    assert_eq!(asked.load(SeqCst), 6);
    let (code, ..) = chrysalis(&folder, &[&saved[..], &["--mirror", &mirror]].concat()).await;
    assert_eq!((code, asked.load(SeqCst)), (0, 12));
    let explained = [&saved[..], &["--mirror", &mirror, "--explain-only"]].concat();
    assert_eq!(chrysalis(&folder, &explained).await.0, 0);

    // A simulated vendor has no responder: nobody is asked, and what travels along is not enough.
    let (code, verdict, _) = chrysalis(&folder, &saved).await;
    assert_eq!(code, 1);
    assert!(
        verdict.starts_with("not trusted: ocsp_stapled_refused"),
        "{verdict}"
    );
    // One that cannot be reached leaves the question open: no verdict, and what to do.
    let closed = ["--mirror", "nvidia-ocsp=http://127.0.0.1:1"];
    for more in [&[][..], &["--explain-only"]] {
        let arguments = [&saved[..], &closed, more].concat();
        let (code, verdict, talk) = chrysalis(&folder, &arguments).await;
        assert_eq!((code, verdict.as_str()), (2, ""), "{talk}");
        assert!(
            talk.contains("(revocation_unasked)") && talk.contains("\nhint: "),
            "{talk}"
        );
    }
    // A reason on the command line counts more than the policy's wish.
    let without = [&saved[..], &["--without", "ocsp"]].concat();
    assert_eq!(chrysalis(&folder, &without).await.0, 0);
}

#[tokio::test]
async fn the_command_line_asks_for_a_chat_and_for_gpus_by_themselves() {
    let host = Host::serving(Enclave::with_gpu()).await;
    let folder = folder(ASKED);
    let (mirror, asked) = responder();
    let url = host.target().to_string();
    let chat = [
        "chat",
        &url,
        "hello",
        "--policy",
        "policy.toml",
        "--mirror",
        &mirror,
    ];
    let (code, answer, talk) = chrysalis(&folder, &chat).await;
    assert_eq!((code, answer.as_str()), (0, "Hello\n"), "{talk}");
    assert_eq!(asked.load(SeqCst), 6);

    let evidence = nvidia().gpu(0).evidence(&[0x5A; 32]);
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("report.bin", &evidence.report);
    let certificates = evidence.chain.iter().map(|der| {
        let text = data_encoding::BASE64.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    });
    write("chain.pem", certificates.collect::<String>().as_bytes());
    for (name, rim) in ["driver.xml", "vbios.xml"].iter().zip(nvidia().rims()) {
        write(name, &rim);
    }
    let nonce = "5a".repeat(32);
    let gpus = [
        "verify",
        "nvidia",
        "--report",
        "report.bin",
        "--chain",
        "chain.pem",
        "--nonce",
        &nonce,
        "--rim",
        "driver.xml",
        "--rim",
        "vbios.xml",
        "--policy",
        "policy.toml",
        "--format",
        "json",
    ];
    let (code, verdict, talk) =
        chrysalis(&folder, &[&gpus[..], &["--mirror", &mirror]].concat()).await;
    let verdict: Value = serde_json::from_str(&verdict).unwrap_or_else(|_| panic!("{talk}"));
    assert_eq!(
        (code, &verdict["verdict"]),
        (0, &"trusted".into()),
        "{verdict}"
    );
    assert_eq!(asked.load(SeqCst), 12);
}

#[tokio::test]
async fn a_mirror_of_another_service_is_refused_by_name() {
    let folder = folder(ASKED);
    let arguments = [
        "verify",
        "saved.cbor",
        "--mirror",
        "amd=https://kds.example",
    ];
    let (code, _, talk) = chrysalis(&folder, &arguments).await;
    assert_eq!(code, 2);
    assert!(talk.contains("only nvidia-ocsp is asked here"), "{talk}");
}
