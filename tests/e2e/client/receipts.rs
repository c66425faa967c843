//! Receipts through the proxy: kept, hidden from programs that did not ask, and refused by name where they lie.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bytes::Bytes;
use chrysalis_attestation::{evidence::Evidence, policy::Policy};
use chrysalis_client::{
    Error, RelyingParty,
    proxy::{Access, Door, Proxy, ReceiptFolder},
};
use chrysalis_settle::{Attested, Content, End, EpochEvidence, Job, Kept};
use chrysalis_tests::paths;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    issuer::Lie,
    stage::{Enclave, Host, Reply, policy_text, relying_party},
};

/// A proxy that keeps receipts in a folder below this one.
async fn keeping(host: &Host, folder: &Path) -> (SocketAddr, PathBuf) {
    let folder = folder.join("receipts");
    let receipts = ReceiptFolder::open(&folder).unwrap();
    let proxy = Proxy::start_keeping(host.target(), relying_party(), Some(receipts));
    let proxy = proxy.await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let door = Door::open(listener, Access::default()).unwrap();
    tokio::spawn(async move { proxy.serve(door, Duration::from_hours(1)).await });
    (address, folder)
}

/// What the proxy says to a chat: status, head, body, and whether it ended cleanly.
async fn chat(proxy: SocketAddr, body: &str, job: Option<&str>) -> (u16, String, String, bool) {
    let tcp = TcpStream::connect(proxy).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::post("/v1/chat/completions").header("host", proxy.to_string());
    if let Some(job) = job {
        request = request.header("x-chrysalis-job", job);
    }
    let request = request.body(Full::<Bytes>::from(body.to_owned())).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let (status, head) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
    let (mut body, mut text) = (answer.into_body(), String::new());
    loop {
        match body.frame().await {
            Some(Ok(frame)) => text += &String::from_utf8_lossy(&frame.into_data().unwrap()),
            Some(Err(_)) => return (status, head, text, false),
            None => return (status, head, text, true),
        }
    }
}

/// The files in a folder that end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|found| found == ending));
    files.collect()
}

const STREAM: &str = "{\"stream\":true}";

#[tokio::test]
async fn receipts_are_kept_and_programs_see_none_unless_they_ask() {
    let host = Host::serving(Enclave::honest()).await;
    let room = tempfile::tempdir().unwrap();
    let (proxy, folder) = keeping(&host, room.path()).await;
    for body in ["{}", STREAM] {
        let (status, head, text, clean) = chat(proxy, body, None).await;
        assert!(status == 200 && clean, "{head} {text}");
        assert!(
            !head.contains("receipt") && !text.contains("receipt"),
            "{head} {text}"
        );
    }
    let job = "0a".repeat(16);
    let (_, head, _, _) = chat(proxy, "{}", Some(&job)).await;
    assert!(head.contains("x-chrysalis-receipt"), "{head}");
    let (_, _, text, clean) = chat(proxy, STREAM, Some(&"0b".repeat(16))).await;
    assert!(clean && text.contains("event: receipt\n"), "{text}");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");

    let receipts = files(&folder, "receipt");
    assert_eq!(receipts.len(), 4);
    assert!(receipts.contains(&folder.join(format!("{job}.receipt"))));
    let evidence = files(&folder, "evidence");
    assert_eq!(evidence.len(), 1, "once for all");
    EpochEvidence::decode(&fs::read(&evidence[0]).unwrap()).unwrap();
    for file in receipts.iter().chain(&evidence) {
        assert_eq!(
            fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let mut seqs: Vec<u64> = receipts
        .iter()
        .map(|file| Kept::decode(&fs::read(file).unwrap()).unwrap().job().seq)
        .collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [1, 2, 3, 4], "one connection, one chain");
    assert_eq!(files(&folder, "tmp"), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn an_answer_without_its_true_receipt_is_no_answer() {
    for (lie, code) in [
        (Lie::Missing, "receipt_missing"),
        (Lie::Garbage, "receipt_malformed"),
        (Lie::AnotherKey, "receipt_signature"),
        (Lie::AnotherAnswer, "receipt_content"),
        (Lie::AnotherEvidence, "receipt_evidence"),
        (Lie::Replayed, "receipt_chain"),
    ] {
        for body in ["{}", STREAM] {
            let host = Host::serving(Enclave::honest()).await;
            let room = tempfile::tempdir().unwrap();
            let (proxy, folder) = keeping(&host, room.path()).await;
            chat(proxy, "{}", None).await;
            host.receipt(lie);
            let (status, _, text, clean) = chat(proxy, body, None).await;
            assert!(text.contains(code), "{lie:?} {body}: {status} {text}");
            assert!(!text.contains("Hello"), "{lie:?}: {text}");
            if body == STREAM {
                assert!(!clean, "{lie:?}");
            } else {
                assert_eq!(status, 502, "{lie:?}");
            }
            assert_eq!(files(&folder, "receipt").len(), 1, "{lie:?}");
            // The connection is not used again.
            host.receipt(Lie::None);
            assert_eq!(chat(proxy, "{}", None).await.0, 200, "{lie:?}");
        }
    }
}

#[tokio::test]
async fn the_receipt_of_a_stream_that_was_given_up_is_asked_for() {
    let host = Host::serving(Enclave::honest()).await;
    let room = tempfile::tempdir().unwrap();
    let (proxy, folder) = keeping(&host, room.path()).await;
    host.reply(Reply::Endless);
    let job = "0c".repeat(16);
    let reading = chat(proxy, STREAM, Some(&job));
    tokio::time::timeout(Duration::from_millis(300), reading)
        .await
        .unwrap_err();
    let file = folder.join(format!("{job}.receipt"));
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if file.exists() {
            break;
        }
    }
    let kept = Kept::decode(&fs::read(file).unwrap()).unwrap();
    let Job { seq, end, .. } = kept.job();
    assert_eq!((*seq, *end), (1, End::Cancelled));
}

/// A receipt that was kept, and the evidence beside it.
async fn one_kept(room: &Path) -> (PathBuf, PathBuf) {
    let host = Host::serving(Enclave::honest()).await;
    let (proxy, folder) = keeping(&host, room).await;
    chat(proxy, "{}", None).await;
    let (mut receipts, mut evidence) = (files(&folder, "receipt"), files(&folder, "evidence"));
    (receipts.remove(0), evidence.remove(0))
}

/// What `chrysalis receipt` says in a folder with the policy, and its exit code.
async fn receipt(room: &Path, arguments: &[&str]) -> (i32, String) {
    fs::write(room.join("policy.toml"), policy_text(true)).unwrap();
    let mut command = Command::new(paths::tool("chrysalis").canonicalize().unwrap());
    command.arg("receipt").args(arguments).current_dir(room);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

#[tokio::test]
async fn a_kept_receipt_verifies_offline_with_its_content_and_without() {
    let room = tempfile::tempdir().unwrap();
    let (file, evidence) = one_kept(room.path()).await;
    let path = file.to_str().unwrap();
    let verify = ["verify", path, "--policy", "policy.toml"];
    let (code, said) = receipt(room.path(), &verify).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("content not compared") && said.ends_with("verified\n"),
        "{said}"
    );
    assert!(
        said.contains("3 prompt tokens (0 cached), 2 completion tokens"),
        "{said}"
    );

    fs::write(room.path().join("request"), "{}").unwrap();
    let answer = "{\"choices\":[{\"message\":{\"content\":\"Hello\"}}]}";
    fs::write(room.path().join("answer"), answer).unwrap();
    let content = [&verify[..], &["--request", "request", "--answer", "answer"]].concat();
    let (code, said) = receipt(room.path(), &content).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("the request and the answer are these"),
        "{said}"
    );
    let swapped = [&verify[..], &["--request", "answer", "--format", "json"]].concat();
    let (code, said) = receipt(room.path(), &swapped).await;
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, told["code"].as_str()), (1, Some("receipt_content")));

    // Packed, it needs nothing beside it.
    let pack = ["pack", path, "--out", "packed"];
    assert_eq!(receipt(room.path(), &pack).await, (0, String::new()));
    fs::remove_file(evidence).unwrap();
    let packed = ["verify", "packed", "--policy", "policy.toml", "--quiet"];
    assert_eq!(receipt(room.path(), &packed).await, (0, String::new()));
    let (code, said) = receipt(room.path(), &verify).await;
    assert!(code == 2 && said.contains("--evidence FILE"), "{said}");

    let mut forged = fs::read(room.path().join("packed")).unwrap();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    fs::write(room.path().join("packed"), forged).unwrap();
    let (code, said) = receipt(room.path(), &packed[..4]).await;
    assert!(code == 1 && said.contains("receipt_signature"), "{said}");
}

/// What anyone finds in a receipt and an epoch's evidence.
fn judged(party: &RelyingParty, kept: &Kept, epoch: &EpochEvidence) -> Result<(), Error> {
    let trusted = party.verify_epoch(epoch)?;
    let attested = Attested::of(trusted.claims(), &Evidence::decode(&epoch.bundle)?);
    kept.verify(&attested, &Content::default())?;
    Ok(())
}

#[tokio::test]
async fn every_flipped_byte_of_the_evidence_is_refused_by_its_code() {
    let room = tempfile::tempdir().unwrap();
    let (file, evidence) = one_kept(room.path()).await;
    let kept = Kept::decode(&fs::read(file).unwrap()).unwrap();
    let epoch = EpochEvidence::decode(&fs::read(evidence).unwrap()).unwrap();
    let past = "[session]\nfreshness = { unchecked = \"a receipt is about the past\" }\n\
                max_epoch_age = { unchecked = \"a receipt is about the past\" }\n";
    let policy = Policy::parse(&(policy_text(true) + past)).unwrap();
    let party = RelyingParty::new(policy);
    judged(&party, &kept, &epoch).unwrap();

    // A signature takes a while to check, so every seventh byte; another bit of each.
    for at in (0..epoch.bundle.len()).step_by(7) {
        let mut other = epoch.clone();
        other.bundle[at] ^= 1 << (at % 8);
        let refused = judged(&party, &kept, &other);
        assert!(refused.is_err_and(|error| error.is_verdict()), "byte {at}");
    }
    let mut other = epoch.clone();
    other.spki[0] ^= 1;
    let code = judged(&party, &kept, &other).unwrap_err().code();
    assert_eq!(code, "binding_mismatch");

    // Another enclave's evidence, which is as good.
    let other_room = tempfile::tempdir().unwrap();
    let (_, other) = one_kept(other_room.path()).await;
    let other = EpochEvidence::decode(&fs::read(other).unwrap()).unwrap();
    let code = judged(&party, &kept, &other).unwrap_err().code();
    assert_eq!(code, "receipt_signature");
}
