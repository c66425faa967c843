//! What is owed when a job ends, however it ends.

use std::time::Duration;

use chrysalis_settle::End;
use tokio::time::{sleep, timeout};

use super::*;
use crate::tests::PATIENCE;

/// The tab's last job once it has this number.
async fn job(payer: &mut Payer, seq: u64) -> (Receipt, Job) {
    let wait = async {
        loop {
            if let Some(last) = payer.state().await.last {
                let job = Job::decode(&last.job).unwrap();
                if job.seq == seq {
                    return (last, job);
                }
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap()
}

#[tokio::test]
async fn a_cancelled_stream_owes_what_was_handed_over() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    let (number, body) = begin(&mut payer, "one two forever", b"on ").await;
    payer.connection = Connection::new(&host).await;
    let (receipt, _) = job(&mut payer, 1).await;
    let body = body.to_string();
    let job = payer.take(&receipt, number, body.as_bytes(), None, "tiny");
    // The engine says what it has read only at the end.
    assert_eq!((job.units, job.amount), ([0, 0, 3, 0], 6));
}

#[tokio::test]
async fn a_stream_that_fails_owes_nothing() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    payer.cap = bound(&streamed("one crash"), payer.quote("tiny"));
    let failed = payer.paid(CHAT, &streamed("one crash")).await;
    assert_eq!((failed.units, failed.amount), ([0; 4], 0));
    // Its bound is free again, once there is an engine.
    let paid = payer.paid(CHAT, &chat("one")).await;
    assert_eq!((paid.seq, paid.cumulative), (2, 3));
}

#[tokio::test]
async fn a_whole_answer_that_fails_or_is_refused_has_no_receipt_and_owes_nothing() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    payer.cap = bound(&chat("one crash"), payer.quote("tiny"));
    for (text, status) in [("crash", 502), ("long", 400)] {
        let (answer, _) = payer.ask(CHAT, &chat(text)).await;
        assert_eq!(answer.status, status);
        assert!(!answer.head.contains("x-chrysalis-receipt"));
    }
    // Nothing was given up, however often.
    for _ in 0..4 {
        assert_eq!(payer.refused(CHAT, &chat("long")).await.0, 400);
    }
    let paid = payer.paid(CHAT, &chat("one")).await;
    assert_eq!((paid.seq, paid.cumulative), (1, 3));
}

#[tokio::test]
async fn jobs_that_are_given_up_early_are_free_and_three_of_them_close_the_tab() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    payer.paid(CHAT, &chat("one")).await;
    for _ in 0..2 {
        begin(&mut payer, "step", b": still here\n\n").await;
        payer.connection = Connection::new(&host).await;
    }
    // One that waits for a whole answer.
    let (number, body) = (payer.next(), chat("forever").to_string());
    let headers = payer.headers(number, "tiny");
    payer.connection.send(CHAT, &headers, body.as_bytes()).await;
    sleep(Duration::from_millis(100)).await;
    payer.connection = Connection::new(&host).await;
    let closed = async {
        loop {
            let (answer, _) = payer.ask(CHAT, &chat("one")).await;
            if answer.status == 429 {
                return answer;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let answer = timeout(PATIENCE, closed).await.unwrap();
    assert_eq!(answer.json()["error"]["code"], "jobs_given_up");
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);
    let state = payer.state().await;
    let last = Job::decode(&state.last.unwrap().job).unwrap();
    assert_eq!(last.cumulative, 3 * (last.seq - 3));
    // Another tab of the lane is open.
    let mut other = Payer::with(&host, 1, payer.cap).await;
    other.paid(CHAT, &chat("one")).await;
}

#[tokio::test]
async fn a_job_that_was_given_up_early_has_a_receipt_of_nothing() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    let (number, body) = begin(&mut payer, "step", b": still here\n\n").await;
    payer.connection = Connection::new(&host).await;
    let (receipt, _) = job(&mut payer, 1).await;
    let body = body.to_string();
    let given_up = payer.take(&receipt, number, body.as_bytes(), None, "tiny");
    assert_eq!(
        (given_up.end, given_up.units, given_up.amount),
        (End::Cancelled, [0; 4], 0)
    );
    // Who waits for a whole answer and goes.
    let (number, body) = (payer.next(), chat("forever").to_string());
    let headers = payer.headers(number, "tiny");
    let connection = &mut payer.connection;
    connection.send(CHAT, &headers, body.as_bytes()).await;
    sleep(Duration::from_millis(100)).await;
    payer.connection = Connection::new(&host).await;
    let (receipt, _) = job(&mut payer, 2).await;
    let given_up = payer.take(&receipt, number, body.as_bytes(), None, "tiny");
    assert_eq!((given_up.end, given_up.amount), (End::Cancelled, 0));
    assert_eq!(payer.paid(CHAT, &chat("one")).await.cumulative, 3);
}

#[tokio::test]
async fn answers_that_follow_no_schema_are_free_and_three_of_them_close_the_tab() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    let mut body = streamed("one");
    body["response_format"] = json!({"type": "json_schema",
        "json_schema": {"name": "a", "schema": {"type": "object"}}});
    for _ in 0..3 {
        let failed = payer.paid(CHAT, &body).await;
        assert_eq!((failed.end, failed.amount), (End::Failed, 0));
    }
    let (status, error) = payer.refused(CHAT, &chat("one")).await;
    assert_eq!((status, &error["code"]), (429, &json!("jobs_given_up")));
}

#[tokio::test]
async fn a_lying_engine_is_billed_within_the_bound() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    for (body, most) in [(chat("untruth"), 1), (streamed("untruth"), 1)] {
        let bound = bound(&body, payer.quote("tiny"));
        let job = payer.paid(CHAT, &body).await;
        let length = u64::try_from(body.to_string().len()).unwrap();
        let [read, cached, made, _] = job.units;
        assert_eq!((read + cached, made), (length + money::TEMPLATE, most));
        assert!(job.amount <= bound, "{} {bound}", job.amount);
    }
}

#[tokio::test]
async fn a_client_that_missed_receipts_or_lost_its_state_goes_on() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    let fresh = payer.tab.clone();
    let first = payer.state().await;
    assert_eq!((first.last, first.before.len()), (None, 0));
    assert_eq!(first.head, payer.tab.standing().head);
    for text in ["one", "one two", "one two three"] {
        payer.paid(CHAT, &chat(text)).await;
    }
    let state = payer.state().await;
    assert_eq!(state.head, payer.tab.standing().head);
    // Whoever missed all three checks one after the other.
    payer.tab = fresh;
    let mut all = state.before;
    all.extend(state.last);
    for (number, (receipt, text)) in (1..).zip(all.iter().zip(["one", "one two", "one two three"]))
    {
        let job = Job::decode(&receipt.job).unwrap();
        assert_eq!((job.job, job.seq), ([number; 16], u64::from(number)));
        let quote = payer.quote("tiny").clone();
        let (tab, attested) = (&mut payer.tab, &payer.attested);
        let request = chat(text).to_string();
        let expected = Expected {
            job: job.job,
            request: sha256(&[request.as_bytes()]),
            answer: None,
            attested,
            quote: Some(&quote),
        };
        // But for the answer, which is gone with its connection.
        let refused = tab.accept(receipt, &expected).unwrap_err();
        assert_eq!(refused.code(), "receipt_content");
        let statement = payer.tab.standing();
        assert_eq!(statement.seq + 1, job.seq);
        payer.tab = Tab::resumed(
            payer.id,
            payer.attested.receipt_key,
            chrysalis_settle::Standing {
                seq: job.seq,
                cumulative: job.cumulative,
                head: chrysalis_settle::chain::next_head(&statement.head, &receipt.job),
            },
        );
    }
    assert_eq!(payer.tab.standing().head, state.head);
}
