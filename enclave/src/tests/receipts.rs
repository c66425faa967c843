//! Receipts through the whole enclave, as a client that keeps its tab sees them.

use std::time::Duration;

use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_settle::{Attested, End, Expected, Job, Receipt, Rejection, Tab, TabId, Terms};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    chat,
    client::{Answer, CHAT, COMPLETIONS, Connection, content, receipt_of},
    host::{FakeHost, enclave},
};

/// A connection, and its tab.
struct Client {
    connection: Connection,
    exporter: [u8; 32],
    attested: Attested,
    tab: Tab,
    jobs: u8,
}

impl Client {
    async fn new(host: &FakeHost) -> Self {
        let connection = Connection::new(host).await;
        let (exporter, attested) = (connection.exporter(), connection.attested());
        Self {
            tab: Tab::new(TabId::unpaid(&exporter), attested.receipt_key),
            connection,
            exporter,
            attested,
            jobs: 0,
        }
    }

    async fn post(&mut self, start: &str, headers: &str, body: &[u8]) -> Answer {
        self.connection.post(start, headers, body).await
    }

    /// A job with a number of its own.
    async fn ask(&mut self, start: &str, body: &Value) -> (Answer, [u8; 16]) {
        self.jobs += 1;
        let job = [self.jobs; 16];
        let headers = format!("x-chrysalis-job: {}\r\n", hex::encode(job));
        let answer = self
            .post(start, &headers, body.to_string().as_bytes())
            .await;
        (answer, job)
    }

    /// What the tab makes of a receipt.
    fn accept(
        &mut self,
        receipt: &Receipt,
        job: [u8; 16],
        request: &Value,
        answer: Option<&[u8]>,
    ) -> Result<Job, Rejection> {
        let expected = Expected {
            job,
            request: sha256(&[request.to_string().as_bytes()]),
            answer: answer.map(|answer| sha256(&[&content(answer)])),
            attested: &self.attested,
            quote: None,
        };
        Ok(self.tab.accept(receipt, &expected)?.job().clone())
    }

    /// Asks, and accepts the receipt of the answer, whole or streamed. The job, and the events after the receipt.
    async fn receipted(&mut self, start: &str, request: &Value) -> (Job, String) {
        let (answer, job) = self.ask(start, request).await;
        assert_eq!(answer.status, 200, "{start} {}", answer.text());
        let (receipt, before, after) = receipt_of(&answer).unwrap();
        let accepted = self.accept(&receipt, job, request, Some(before.as_bytes()));
        (accepted.unwrap(), after)
    }

    /// The last receipt of a tab: by its exporter, or of this connection.
    async fn last(&mut self, exporter: &[u8]) -> Result<Option<(Receipt, Job)>, u16> {
        let answer = self.post("POST /v1/tab", "", exporter).await;
        if answer.status != 200 {
            return Err(answer.status);
        }
        let (terms, mut jobs) = Terms::decode(&answer.body).unwrap();
        assert_eq!((terms.quotes.len(), terms.ceiling), (0, 0));
        Ok(terms.last.map(|last| (last, jobs.pop().unwrap())))
    }
}

fn streamed(mut request: Value) -> Value {
    request["stream"] = json!(true);
    request
}

#[tokio::test]
async fn every_answer_to_a_job_has_a_receipt_that_continues_the_tab() {
    let (host, _story) = enclave().await;
    let mut client = Client::new(&host).await;
    let text = json!({"model": "tiny", "prompt": "one two"});
    let response = json!({"model": "tiny", "input": "one two"});
    let message = json!({"model": "tiny", "max_tokens": 9, "messages": [{"role": "user", "content": "one two"}]});
    let mut seq = 0;
    for (start, request, last) in [
        (CHAT, chat("one two"), "data: [DONE]\n\n"),
        (COMPLETIONS, text, "data: [DONE]\n\n"),
        (
            "POST /v1/responses",
            response,
            "event: response.completed\n",
        ),
        ("POST /v1/messages", message, "event: message_stop\n"),
    ] {
        let (job, _) = client.receipted(start, &request).await;
        assert_eq!((job.units, job.end), ([2, 0, 2, 0], End::Stop), "{start}");
        let (job, after) = client.receipted(start, &streamed(request)).await;
        assert_eq!((job.units, job.end), ([2, 0, 2, 0], End::Stop), "{start}");
        assert!(after.starts_with(last), "{start} {after}");
        assert_eq!(after.matches("data: ").count(), 1, "{start} {after}");
        seq += 2;
        assert_eq!(job.seq, seq);
    }
    let (_, job) = client.last(b"").await.unwrap().unwrap();
    assert_eq!(job.seq, seq);
}

#[tokio::test]
async fn usage_in_a_stream_comes_before_its_receipt() {
    let (host, _story) = enclave().await;
    let mut client = Client::new(&host).await;
    let mut request = streamed(chat("one two"));
    request["stream_options"] = json!({"include_usage": true});
    let (job, after) = client.receipted(CHAT, &request).await;
    let after = content(after.as_bytes());
    assert_eq!(
        (job.units, &after[..]),
        ([2, 0, 2, 0], &b"data: [DONE]\n\n"[..])
    );
}

#[tokio::test]
async fn an_answer_that_is_cut_at_its_limit_says_so() {
    let (host, _story) = enclave().await;
    let mut client = Client::new(&host).await;
    let mut request = chat("flood");
    request["max_tokens"] = json!(2);
    for request in [request.clone(), streamed(request)] {
        let (job, _) = client.receipted(CHAT, &request).await;
        assert_eq!(job.end, End::Length);
        assert_eq!(job.units[2], 2);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_has_the_receipt_of_a_failed_job() {
    let (host, _story) = enclave().await;
    let mut client = Client::new(&host).await;
    let (job, after) = client.receipted(CHAT, &streamed(chat("one crash"))).await;
    assert_eq!((job.end, job.units[2]), (End::Failed, 1));
    assert!(after.contains("engine_failed"), "{after}");
}

#[tokio::test]
async fn without_a_job_nothing_changes_and_what_is_refused_has_no_receipt() {
    let (host, _story) = enclave().await;
    let mut client = Client::new(&host).await;
    for request in [chat("one two"), streamed(chat("one two"))] {
        let answer = client.post(CHAT, "", request.to_string().as_bytes()).await;
        let all = answer.head.clone() + &answer.text();
        assert!(!all.contains("receipt"), "{all}");
    }
    let (answer, _) = client.ask(CHAT, &json!([])).await;
    assert_eq!(answer.status, 400);
    assert!(!answer.head.contains("receipt"), "{}", answer.head);
    assert_eq!(client.last(b"").await, Ok(None));
}

#[tokio::test]
async fn a_number_counts_once_and_has_one_form() {
    let (host, _story) = enclave().await;
    let mut client = Client::new(&host).await;
    client.receipted(CHAT, &chat("one")).await;
    let body = chat("one").to_string();
    let number = "01".repeat(16);
    for (headers, status, code) in [
        (
            format!("x-chrysalis-job: {number}\r\n"),
            409,
            "job_repeated",
        ),
        ("x-chrysalis-job: 01\r\n".to_owned(), 400, "invalid_value"),
        (
            format!("x-chrysalis-job: {}\r\n", "zz".repeat(16)),
            400,
            "invalid_value",
        ),
        (
            format!("x-chrysalis-job: {number}\r\nx-chrysalis-job: {number}\r\n"),
            400,
            "invalid_value",
        ),
    ] {
        let mut other = Client::new(&host).await;
        if status == 409 {
            other.receipted(CHAT, &chat("one")).await;
        }
        let answer = other.post(CHAT, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{headers}");
        assert_eq!(answer.json()["error"]["code"], code);
    }
    // The same number is another job on another connection.
    let mut other = Client::new(&host).await;
    assert_eq!(other.receipted(CHAT, &chat("one")).await.0.seq, 1);
}

#[tokio::test]
async fn the_receipt_of_a_cancelled_stream_is_kept_for_whoever_shows_its_exporter() {
    let (host, _story) = enclave().await;
    let mut client = Client::new(&host).await;
    let request = streamed(chat("forever"));
    let headers = format!("x-chrysalis-job: {}\r\n", "05".repeat(16));
    let connection = &mut client.connection;
    connection
        .send(CHAT, &headers, request.to_string().as_bytes())
        .await;
    connection.until(b"on ").await;
    let exporter = client.exporter;
    // Gone, and back over another connection.
    client.connection = Connection::new(&host).await;

    let mut found = client.last(&exporter).await;
    for _ in 0..200 {
        if matches!(found, Ok(Some(_))) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
        found = client.last(&exporter).await;
    }
    let (receipt, _) = found.unwrap().unwrap();
    let job = client.accept(&receipt, [5; 16], &request, None).unwrap();
    assert_eq!((job.end, job.units[2], job.seq), (End::Cancelled, 1, 1));
}

#[tokio::test]
async fn a_tab_whose_receipts_were_delivered_is_forgotten_with_its_connection() {
    let (host, _story) = enclave().await;
    let mut client = Client::new(&host).await;
    client.receipted(CHAT, &chat("one")).await;
    let exporter = client.exporter;
    let mut other = Client::new(&host).await;
    assert!(other.last(&exporter).await.unwrap().is_some());
    drop(client);
    for _ in 0..200 {
        if other.last(&exporter).await == Err(404) {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("it is still there");
}

#[tokio::test]
async fn no_other_exporter_finds_a_tab() {
    let (host, _story) = enclave().await;
    let mut client = Client::new(&host).await;
    assert_eq!(client.last(&[7; 32]).await, Err(404));
    assert_eq!(client.last(&[7; 31]).await, Err(400));
    assert_eq!(client.last(&[7; 109]).await, Err(400));
    assert_eq!(client.last(&[7; 129]).await, Err(413));
}
