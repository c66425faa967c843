//! What paying costs: measurements, for `make bench-pay`.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrysalis_settle::Statement;
use tokio::time::sleep;

use super::*;
use crate::tests::host::enclave_of;

/// Tabs at once, and requests on each of them.
const TABS: u16 = 1000;
const EACH: u16 = 5;
/// Clients that ask at the same time: as many as the engine takes.
const AT_ONCE: u16 = 8;
/// Answers of which the median is taken.
const ANSWERS: u32 = 1000;

fn number(number: u32) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

/// Asks once more on a tab, and accepts the receipt.
async fn once(payer: &mut Payer, job: u32) -> u64 {
    let (job, body) = (number(job), streamed("one"));
    let headers = payer.headers(job, "tiny");
    let body = body.to_string();
    let answer = payer.connection.post(CHAT, &headers, body.as_bytes());
    let answer = answer.await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    payer.accept(&answer, job, body.as_bytes(), "tiny").amount
}

#[tokio::test]
#[ignore = "a measurement"]
async fn a_thousand_tabs_lose_no_nano() {
    let bounds = Bounds {
        connections: 2 * usize::from(TABS),
        ..Bounds::default()
    };
    let (host, _story) = enclave_within("required", |_| {}, bounds).await;
    let mut payers = Vec::new();
    for branch in 0..TABS {
        payers.push(Payer::with(&host, branch, 1_000_000_000).await);
    }
    let began = Instant::now();
    let mut groups: Vec<Vec<Payer>> = (0..AT_ONCE).map(|_| Vec::new()).collect();
    for (place, payer) in payers.into_iter().enumerate() {
        groups[place % usize::from(AT_ONCE)].push(payer);
    }
    let asking = groups.into_iter().map(|mut group| {
        tokio::spawn(async move {
            let mut sum = 0;
            for round in 0..EACH {
                for payer in &mut group {
                    sum += once(payer, u32::from(round)).await;
                }
            }
            (sum, group)
        })
    });
    let (mut paid, mut connections) = (0, Vec::new());
    for asking in asking.collect::<Vec<_>>() {
        let (sum, group) = asking.await.unwrap();
        paid += sum;
        connections.push(group);
    }
    let took = began.elapsed().as_secs_f64();
    // The last is told within a quarter of a second.
    sleep(Duration::from_secs(1)).await;
    let mut told = BTreeMap::new();
    for owed in &host.bank.lock().unwrap().owed {
        let statement = Statement::decode(&owed.statement).unwrap();
        let sum: &mut u64 = told.entry(statement.tab).or_default();
        *sum = statement.amount.max(*sum);
    }
    let owed: u64 = told.values().sum();
    let requests = u32::from(TABS) * u32::from(EACH);
    println!(
        "{TABS} tabs, {requests} answers: {:.0} a second; receipts say {paid} nano, the host was told {owed}",
        f64::from(requests) / took
    );
    assert_eq!((told.len(), owed), (usize::from(TABS), paid));
}

/// Milliseconds until a short answer is there: the median.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[tokio::test]
#[ignore = "a measurement"]
async fn payment_adds_little_to_an_answer() {
    let (host, _story) = enclave("required").await;
    let (free, _free) = enclave_of(configuration(), Bounds::default()).await;
    let mut payer = Payer::new(&host).await;
    let mut other = Connection::new(&free).await;
    let (mut paid, mut unpaid) = (Vec::new(), Vec::new());
    let body = streamed("one").to_string();
    for job in 0..ANSWERS {
        let began = Instant::now();
        once(&mut payer, job).await;
        paid.push(began.elapsed().as_secs_f64() * 1e3);
        let began = Instant::now();
        let header = format!("x-chrysalis-job: {}\r\n", hex::encode(number(job)));
        let answer = other.post(CHAT, &header, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        unpaid.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let (paid, unpaid) = (median(paid), median(unpaid));
    println!(
        "an answer of one token: {unpaid:.2} ms with a receipt, {paid:.2} ms paid for: {:.2} ms more, the client's work with it",
        paid - unpaid
    );
}
