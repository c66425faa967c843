//! What the host is told: what is owed, and each epoch's prices.

use std::time::Duration;

use chrysalis_settle::{Report, SignedOffer, SignedReport, Statement, Tag};
use chrysalis_wire::host::Owed;
use tokio::time::{sleep, timeout};

use super::*;
use crate::tests::PATIENCE;

/// Waits until the bank has what is looked for.
async fn until<T>(host: &FakeHost, mut found: impl FnMut(&Bank) -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = found(&host.bank.lock().unwrap()) {
                return found;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap()
}

/// What a claim needs, checked as its payee does.
fn amount(owed: &Owed, receipt_key: &[u8; 32]) -> (TabId, u64) {
    assert_eq!(owed.receipt_key, receipt_key);
    let statement = Statement::decode(&owed.statement).unwrap();
    assert_eq!(statement.tag, Tag::Receipt);
    let signature = owed.signature.as_slice().try_into().unwrap();
    assert!(statement.is_signed(receipt_key, &signature));
    let credential = Credential::decode(&owed.credential).unwrap();
    let spend: [u8; 32] = spend_key().public_key().as_ref().try_into().unwrap();
    credential.verify(&spend, receipt_key).unwrap();
    assert_eq!(credential.tab, statement.tab);
    assert!(credential.cap >= statement.amount);
    (statement.tab, statement.amount)
}

#[tokio::test]
async fn what_is_owed_is_told_until_it_is_noted_and_then_no_more() {
    let (host, _story) = enclave("required").await;
    host.bank.lock().unwrap().refuses = true;
    let mut one = Payer::new(&host).await;
    let mut two = Payer::with(&host, 1, 1_000_000).await;
    let key = one.attested.receipt_key;
    one.paid(CHAT, &chat("one")).await;
    one.paid(CHAT, &chat("one two")).await;
    two.paid(CHAT, &chat("one")).await;
    sleep(Duration::from_millis(300)).await;
    {
        let mut bank = host.bank.lock().unwrap();
        assert!(bank.owed.is_empty());
        bank.refuses = false;
    }
    let both = until(&host, |bank| {
        (bank.owed.len() == 2).then(|| bank.owed.clone())
    })
    .await;
    let both: Vec<_> = both.iter().map(|owed| amount(owed, &key)).collect();
    assert_eq!(both, [(one.id, 9), (two.id, 3)]);
    sleep(Duration::from_millis(600)).await;
    assert_eq!(host.bank.lock().unwrap().owed.len(), 2);
    // What owes nothing more is not told again, and what does is.
    one.paid(CHAT, &streamed("one crash")).await;
    two.paid(CHAT, &chat("one")).await;
    let third = until(&host, |bank| bank.owed.get(2).cloned()).await;
    assert_eq!(amount(&third, &key), (two.id, 6));
}

#[tokio::test]
async fn what_a_cancelled_stream_owes_is_told_at_once() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    begin(&mut payer, "one forever", b"on ").await;
    let key = payer.attested.receipt_key;
    drop(payer);
    let owed = until(&host, |bank| bank.owed.first().cloned()).await;
    assert_eq!(amount(&owed, &key).1, 4);
}

#[tokio::test]
async fn what_is_owed_at_the_end_is_told_before_it() {
    let (host, story) = enclave("required").await;
    host.bank.lock().unwrap().refuses = true;
    let mut payer = Payer::new(&host).await;
    let key = payer.attested.receipt_key;
    payer.paid(CHAT, &chat("one")).await;
    // One is cut off by the end.
    let mut other = payer.again(&host).await;
    begin(&mut other, "forever", b"on ").await;
    host.bank.lock().unwrap().refuses = false;
    host.stop.notify_waiters();
    story.await.unwrap().unwrap();
    let owed = host.bank.lock().unwrap().owed.last().cloned().unwrap();
    assert_eq!(amount(&owed, &key), (payer.id, 5));
}

#[tokio::test]
async fn each_epochs_prices_are_reported_and_follow() {
    let bounds = Bounds {
        price_epoch: Some(Duration::from_millis(400)),
        ..Bounds::default()
    };
    let (host, _story) = enclave_within("required", |_| {}, bounds).await;
    let mut payer = Payer::new(&host).await;
    payer.paid(CHAT, &chat("one")).await;
    payer.paid(CHAT, &streamed("one crash")).await;
    host.bank.lock().unwrap().floor = Some(2 * FLOOR);
    until(&host, |bank| (bank.reports.len() >= 12).then_some(())).await;
    // A host that says nothing more changes nothing; what it does not take is told again.
    {
        let mut bank = host.bank.lock().unwrap();
        bank.floor = None;
        bank.refuses = true;
    }
    sleep(Duration::from_millis(900)).await;
    {
        let mut bank = host.bank.lock().unwrap();
        bank.floor = Some(3 * FLOOR);
        bank.refuses = false;
    }
    let bytes = until(&host, |bank| {
        (bank.reports.len() >= 28).then(|| bank.reports.clone())
    })
    .await;
    let mut before: Vec<Option<Report>> = vec![None; 4];
    for (at, report) in bytes.iter().enumerate() {
        let report = SignedReport::verify(report).unwrap();
        assert_eq!(report.receipt_key, payer.attested.receipt_key);
        assert_eq!(report.rates, WEIGHTS);
        // Four models, always in the same order. Their weights are the same here.
        let last = &mut before[at % 4];
        report.follows(last.as_ref()).unwrap();
        *last = Some(report);
    }
    let first = SignedReport::verify(&bytes[0]).unwrap();
    assert_eq!((first.epoch, first.price.floor), (0, FLOOR));
    let tiny = bytes.iter().step_by(4);
    let tiny = tiny.map(|bytes| SignedReport::verify(bytes).unwrap());
    let (jobs, failed, revenue) = tiny.fold((0, 0, 0), |(jobs, failed, revenue), report| {
        (
            jobs + report.jobs,
            failed + report.failed,
            revenue + report.revenue,
        )
    });
    assert_eq!((jobs, failed, revenue), (2, 1, 3));
    let last = before[0].as_ref().unwrap();
    assert!(last.price.floor > FLOOR && last.tabs >= 1, "{last:?}");
    // An old quote is good for a while.
    payer.paid(CHAT, &chat("one")).await;
    assert!(payer.state().await.quotes[0].epoch > 0);
}

#[tokio::test]
async fn offers_say_how_fast_each_model_was() {
    let bounds = Bounds {
        price_epoch: Some(Duration::from_millis(200)),
        epoch: Some(Duration::from_millis(500)),
        ..Bounds::default()
    };
    let (host, _story) = enclave_within("required", |_| {}, bounds).await;
    let mut payer = Payer::new(&host).await;
    let offers = timeout(PATIENCE, async {
        loop {
            // Receipts name the epoch in which they are made, and this client has verified the first alone.
            payer.ask(CHAT, &chat("one two three four")).await;
            sleep(Duration::from_millis(20)).await;
            let newest = host.bank.lock().unwrap().offered.last().cloned();
            let offers = newest.map_or(Vec::new(), |(offers, _)| offers);
            let offers = offers.iter().map(|it| SignedOffer::verify(it).unwrap());
            let offers: Vec<_> = offers.collect();
            if offers.iter().any(|it| it.tokens_per_second > 0) {
                return offers;
            }
        }
    });
    let offers = offers.await.unwrap();
    let said = offers.iter().map(|it| {
        let fast = it.tokens_per_second > 0;
        (it.model.as_str(), it.kind.as_str(), it.context, fast)
    });
    let expected = [
        ("tiny", "chat", 100_000, true),
        ("embedding", "embedding", 100_000, false),
        ("rerank", "rerank", 100_000, false),
        ("speech", "speech", 0, false),
    ];
    assert!(said.eq(expected), "{offers:?}");
}

#[tokio::test]
async fn an_operator_without_terms_serves_nobody_for_money() {
    let configuration = priced("required");
    let digest = host_data(&configuration);
    let host = FakeHost::start(configuration, digest);
    let attested = attested(host.words(), play).await.unwrap();
    let refused = attested.serve_within(Bounds::default()).await.unwrap_err();
    assert_eq!(refused.code(), "host_refused");
}
