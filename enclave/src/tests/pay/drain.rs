//! Draining: what is under way is finished and noted, nothing new is begun, and the machine ends by itself.

use std::time::Duration;

use chrysalis_settle::Statement;
use tokio::{
    net::UnixStream,
    time::{sleep, timeout},
};

use super::*;
use crate::{
    engine::fake,
    tests::{
        PATIENCE,
        client::{ask_on, connect, request, send},
        host,
    },
};

/// The status and the code of a refusal, on a connection of its own.
async fn refused(host: &FakeHost) -> (u16, String, bool) {
    let answer = request(host, CHAT, &chat("one")).await;
    let code = answer.json()["error"]["code"].to_string();
    (answer.status, code, answer.head.contains("retry-after: "))
}

#[tokio::test]
async fn a_stream_under_way_is_finished_and_paid_while_new_work_is_refused() {
    let (host, story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    begin(&mut payer, "one step two", b"one ").await;
    // An idle connection holds nothing up, and is told as others are.
    let mut idle = connect(host.folder.path()).await;
    assert_eq!(ask_on(&mut idle, "GET /health").await.status, 200);
    host.drain.notify_waiters();
    let draining = async {
        loop {
            let (status, code, later) = refused(&host).await;
            if status == 503 {
                return (code, later);
            }
            assert_eq!((status, code.as_str()), (402, "\"payment_required\""));
        }
    };
    let told = timeout(PATIENCE, draining).await.unwrap();
    assert_eq!(told, ("\"draining\"".to_owned(), true));
    assert_eq!(ask_on(&mut idle, "GET /health").await.status, 503);
    assert_eq!(ask_on(&mut idle, "GET /v1/models").await.status, 200);
    assert!(!story.is_finished());
    // The engine goes on, and the answer comes to its end with its receipt.
    fake::steps().add_permits(1);
    payer.connection.until(b"data: [DONE]").await;
    timeout(PATIENCE, story).await.unwrap().unwrap().unwrap();
    let owed = host.bank.lock().unwrap().owed.clone();
    let last = Statement::decode(&owed.last().unwrap().statement).unwrap();
    assert!(last.amount > 0);
    assert!(
        UnixStream::connect(host.folder.path().join("tls.sock"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_enclave_that_does_nothing_ends_at_once() {
    let (host, story) = host::enclave().await;
    let _idle = connect(host.folder.path()).await;
    host.drain.notify_waiters();
    timeout(PATIENCE, story).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn who_drains_for_ever_is_still_stopped() {
    let (host, story) = host::enclave().await;
    let mut stream = connect(host.folder.path()).await;
    let mut body = chat("forever");
    body["stream"] = json!(true);
    send(&mut stream, &body).await;
    sleep(Duration::from_millis(200)).await;
    host.drain.notify_waiters();
    sleep(Duration::from_millis(300)).await;
    assert!(!story.is_finished());
    host.stop.notify_waiters();
    timeout(PATIENCE, story).await.unwrap().unwrap().unwrap();
}
