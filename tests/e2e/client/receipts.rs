//! Receipts through the proxy: kept, hidden from programs that did not ask, and refused by name where they lie.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use chrysalis_client::proxy::{Access, Door, Proxy, ReceiptFolder};
use chrysalis_settle::{End, EpochEvidence, Job, Kept};
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    issuer::Lie,
    stage::{Enclave, Host, Reply, relying_party},
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
