//! A host with directories on loopback, and an enclave that signs what it is told to.

mod fake;
mod files;
mod reports;

use std::{fmt::Write, net::TcpListener, sync::Arc, time::Duration};

use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_network::{Descriptor, Endpoint};
use chrysalis_settle::{EpochEvidence, Offer, Report, Sign, price};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tokio::time::{sleep, timeout};

use self::fake::{Does, Fake};
use super::{Http, Lister, Pace, edition::Terms, operator::Operator};
use crate::{clock, mutex::held};

/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);
const FAST: Pace = Pace {
    lasts: Duration::from_mins(50),
    renewed: Duration::from_secs(1000),
    least: Duration::from_millis(5),
    patience: Duration::from_millis(700),
    back_off: (Duration::from_millis(20), Duration::from_millis(100)),
    farewell: Duration::from_millis(500),
};
pub(crate) const CLASS: [u8; 32] = [0xC1; 32];

struct Key(Ed25519KeyPair);

impl Key {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }
}

impl Sign for Key {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign(digest).as_ref().try_into().ok()
    }
}

pub(crate) fn offer(model: &str, weights: [u8; 32], epoch: u64) -> Vec<u8> {
    let key = Key::new(3);
    let offer = Offer {
        receipt_key: key.public(),
        epoch,
        evidence: sha256(&[&evidence(epoch)]),
        configuration: [7; 32],
        release: "0.1.4".to_owned(),
        platform: "simulated".to_owned(),
        gpus: 0,
        model: model.to_owned(),
        kind: "chat".to_owned(),
        weights,
        context: 8192,
        slots: 4,
        tokens_per_second: 0,
    };
    offer.sign(&key).unwrap().encode()
}

pub(crate) fn evidence(epoch: u64) -> Vec<u8> {
    let evidence = EpochEvidence {
        spki: vec![0x30, 0],
        bundle: epoch.to_be_bytes().to_vec(),
    };
    evidence.encode()
}

pub(crate) fn report(epoch: u64) -> Vec<u8> {
    let key = Key::new(3);
    let report = Report {
        receipt_key: key.public(),
        weights: CLASS,
        epoch,
        price: price::Price::new(20),
        rates: [1; 4],
        asked: [20; 4],
        load: price::Load::default(),
        jobs: 0,
        failed: 0,
        revenue: 0,
        tabs: 0,
        first_token_ms: 0,
        tokens_per_second: 0,
        ended: 0,
    };
    report.sign(&key).unwrap().encode()
}

fn descriptor(urls: &[String], expires: &str) -> String {
    let digest = "ab".repeat(32);
    let mut text = format!(
        "name = \"network.example\"\nversion = 3\nexpires = \"{expires}\"\npolicy = \"{digest}\"\n\
         [chain]\nglobal_id = -239\npurse = \"{digest}\"\n"
    );
    for (at, url) in urls.iter().enumerate() {
        let key = format!("{at:064x}");
        let _ = write!(text, "[[directory]]\nurl = \"{url}\"\nkey = \"{key}\"\n");
    }
    let weights = hex::encode(CLASS);
    text + &format!("[[class]]\nname = \"tiny\"\nweights = \"{weights}\"\n")
}

fn network(urls: &[String]) -> Descriptor {
    toml::from_str(&descriptor(urls, "2099-01-01T00:00:00Z")).unwrap()
}

fn operator() -> Operator {
    let folder = tempfile::tempdir().unwrap();
    Operator::read(&files::key(folder.path(), 9)).unwrap()
}

/// A host of these directories that has begun.
fn start(network: Descriptor, pace: Pace) -> Arc<Lister> {
    let terms = Terms {
        network: network.id(),
        payee: [0xAA; 32],
        lane_min: 100_000_000,
        delay_min: 3600,
        endpoints: vec![Endpoint::parse("llm.example:443").unwrap()],
        region: "eu-west".to_owned(),
    };
    let http = Arc::new(Http::new());
    let host = Lister::new(network, terms, operator(), "free".to_owned(), pace, &http);
    host.begin();
    host
}

/// A host that reaches no directory, and whether something was offered to it.
pub(crate) fn idle() -> Arc<Lister> {
    let nobody = "http://127.0.0.1:9".to_owned();
    start(network(&[nobody]), FAST)
}

/// The same, which was offered a model in an epoch.
fn listing(directories: &[&Fake], pace: Pace) -> Arc<Lister> {
    let urls: Vec<_> = directories.iter().map(|it| it.url()).collect();
    let host = start(network(&urls), pace);
    host.offer(vec![offer("tiny", CLASS, 0)], &evidence(0))
        .unwrap();
    host
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("{what}"));
}

/// How many directories list, as people are told.
fn said(host: &Lister) -> Option<usize> {
    held(&host.said).listed
}

#[tokio::test]
async fn what_is_offered_is_listed_in_every_directory() {
    let (one, two) = (Fake::start(), Fake::start());
    let host = listing(&[&one, &two], FAST);
    until("both list it", || said(&host) == Some(2)).await;
    assert_eq!(host.line(2), "listed in 2 of 2 directories   tiny  free");
    let now = clock::now().unwrap();
    for directory in [&one, &two] {
        let listed = directory.listed();
        let [(listing, with_evidence)] = &listed[..] else {
            panic!("{listed:?}")
        };
        assert!(with_evidence);
        listing.check(&host.network, now).unwrap();
        let said = listing.listing();
        assert_eq!(said.operator, Key::new(9).public());
        assert_eq!((said.payee, said.region.as_str()), ([0xAA; 32], "eu-west"));
        assert_eq!((said.lane_min, said.delay_min), (100_000_000, 3600));
        assert_eq!(said.endpoints[0].to_string(), "llm.example:443");
        assert_eq!(said.offer, offer("tiny", CLASS, 0));
        assert!(
            (2990..=3000).contains(&(said.until - now.0)),
            "{}",
            said.until
        );
    }
    assert_eq!(one.listed(), two.listed(), "all directories have the same");
    let counts = host.counts();
    assert_eq!((counts.directories.read(), counts.listing.read()), (2, 2));
}

#[tokio::test]
async fn a_listing_is_renewed_before_it_ends_and_at_each_epoch() {
    let directory = Fake::start();
    let pace = Pace {
        renewed: Duration::from_millis(200),
        ..FAST
    };
    let host = listing(&[&directory], pace);
    until("it is renewed", || directory.listed().len() >= 3).await;
    let listed = directory.listed();
    assert!(listed.is_sorted_by_key(|(it, _)| it.listing().seq));
    let with_evidence: Vec<_> = listed.iter().map(|(_, with)| *with).take(3).collect();
    assert_eq!(with_evidence, [true, false, false], "once is enough");
    host.offer(vec![offer("tiny", CLASS, 1)], &evidence(1))
        .unwrap();
    until("the next epoch is listed, with its evidence", || {
        let listed = directory.listed();
        let new = listed.iter().find(|(it, _)| it.offer().epoch == 1);
        new.is_some_and(|(_, with_evidence)| *with_evidence)
    })
    .await;
}

#[tokio::test]
async fn a_new_epoch_does_not_wait_for_the_renewal() {
    let directory = Fake::start();
    let host = listing(&[&directory], FAST);
    until("it is listed", || said(&host) == Some(1)).await;
    host.offer(vec![offer("tiny", CLASS, 1)], &evidence(1))
        .unwrap();
    until("the next epoch is", || directory.listed().len() == 2).await;
}

#[tokio::test]
async fn a_directory_that_lost_the_evidence_gets_it_again() {
    let directory = Fake::start();
    let pace = Pace {
        renewed: Duration::from_millis(100),
        ..FAST
    };
    let host = listing(&[&directory], pace);
    until("it is listed", || said(&host) == Some(1)).await;
    held(&directory.got).evidence.clear();
    until("it has it again", || {
        directory.listed().iter().filter(|(_, with)| *with).count() == 2
    })
    .await;
}

#[tokio::test]
async fn one_that_refuses_is_named_with_its_hint_and_asked_again() {
    let (one, two) = (Fake::start(), Fake::start());
    one.told(Does::Refuses(400, "listing_too_long"), Does::Takes);
    let host = listing(&[&one, &two], FAST);
    until("the other lists it", || said(&host) == Some(1)).await;
    until("it is asked again", || held(&one.got).asked >= 3).await;
    let complaint = host.directories[0].complaint().unwrap();
    let expected = format!(
        "the directory {}: refused: listing_too_long: this?[2J will not do\nhint: set the clock",
        one.url()
    );
    assert_eq!(complaint, expected);
    assert!(host.counts().troubled.read() >= 2);
    one.told(Does::Takes, Does::Takes);
    until("both list it", || said(&host) == Some(2)).await;
    assert_eq!(host.directories[0].complaint(), None);
}

#[tokio::test]
async fn one_that_is_slow_keeps_nothing_waiting() {
    let (slow, quick) = (Fake::start(), Fake::start());
    slow.told(Does::Sleeps(Duration::from_secs(8)), Does::Takes);
    let pace = Pace {
        patience: Duration::from_secs(3),
        ..FAST
    };
    let host = listing(&[&slow, &quick], pace);
    until("the other lists it", || quick.lists() == 1).await;
    assert!(
        !host.directories[0].is_tried(),
        "and long before this one is given up"
    );
    until("it is given up", || {
        host.directories[0].complaint().is_some()
    })
    .await;
    let complaint = host.directories[0].complaint().unwrap();
    assert!(complaint.contains("did not answer in time"), "{complaint}");
    // What is said comes after the complaint.
    until("one lists it", || said(&host) == Some(1)).await;
}

#[tokio::test]
async fn one_that_comes_back_is_told_then() {
    let there = Fake::start();
    // A port that nothing listens on until later.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let host = start(network(&[there.url(), format!("http://{address}")]), FAST);
    host.offer(vec![offer("tiny", CLASS, 0)], &evidence(0))
        .unwrap();
    until("the other lists it", || said(&host) == Some(1)).await;
    let complaint = host.directories[1].complaint().unwrap();
    assert!(complaint.contains("it cannot be reached"), "{complaint}");
    let back = Fake::at(address);
    until("it lists it as well", || said(&host) == Some(2)).await;
    assert_eq!(back.lists(), 1);
}

#[tokio::test]
async fn numbers_grow_over_a_restart() {
    let directory = Fake::start();
    for count in 1..=2 {
        let host = listing(&[&directory], FAST);
        until("it is listed", || directory.listed().len() == count).await;
        host.tasks
            .lock()
            .unwrap()
            .drain(..)
            .for_each(|task| task.abort());
    }
    let listed = directory.listed();
    assert!(listed[0].0.listing().seq < listed[1].0.listing().seq);
}

#[tokio::test]
async fn what_is_over_is_withdrawn_everywhere() {
    let (one, two, slow) = (Fake::start(), Fake::start(), Fake::start());
    let host = listing(&[&one, &two, &slow], FAST);
    until("all list it", || said(&host) == Some(3)).await;
    slow.told(Does::Sleeps(Duration::from_secs(5)), Does::Takes);
    let began = std::time::Instant::now();
    host.withdraw().await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "it waits for nobody"
    );
    assert_eq!((one.lists(), two.lists(), slow.lists()), (0, 0, 1));
    let listed = one.listed();
    let [(first, _), (last, _)] = &listed[..] else {
        panic!("{listed:?}")
    };
    assert!(last.listing().seq > first.listing().seq);
    let ended = last.check(&host.network, clock::now().unwrap());
    assert_eq!(ended.unwrap_err().code(), "listing_expired");
}

#[tokio::test]
async fn what_was_never_listed_is_not_withdrawn() {
    let directory = Fake::start();
    let host = start(network(&[directory.url()]), FAST);
    host.withdraw().await;
    assert_eq!(held(&directory.got).asked, 0);
}

#[tokio::test]
async fn only_the_networks_models_are_listed_each_once() {
    let directory = Fake::start();
    let host = start(network(&[directory.url()]), FAST);
    let offers = vec![
        offer("another", [1; 32], 0),
        offer("tiny", CLASS, 0),
        offer("tiny-too", CLASS, 0),
    ];
    host.offer(offers, &evidence(0)).unwrap();
    until("it is listed", || said(&host) == Some(1)).await;
    let listed = directory.listed();
    let models: Vec<_> = listed.iter().map(|(it, _)| &*it.offer().model).collect();
    assert_eq!(models, ["tiny"]);
    let complaint = held(&host.said).complaint.clone().unwrap();
    for line in [
        "another is not listed: the network has no class for its weights\n",
        "tiny-too is not listed: another model has the same weights\n",
        "hint: serve the network's models",
    ] {
        assert!(complaint.contains(line), "{complaint}");
    }
}

#[tokio::test]
async fn what_is_no_offer_is_refused_and_the_last_stays_listed() {
    let directory = Fake::start();
    let host = listing(&[&directory], FAST);
    until("it is listed", || said(&host) == Some(1)).await;
    let mut forged = offer("tiny", CLASS, 1);
    *forged.last_mut().unwrap() ^= 1;
    let good = offer("tiny", CLASS, 1);
    for (offers, evidence, code) in [
        (vec![forged], evidence(1), "offer_signature"),
        (vec![vec![0; 4]], evidence(1), "offer_malformed"),
        (vec![vec![0; 4096]], evidence(1), "offer_malformed"),
        (vec![good.clone(); 17], evidence(1), "offer_malformed"),
        (vec![good], vec![0xA0], "receipt_file_malformed"),
    ] {
        assert_eq!(host.offer(offers, &evidence), Err(code.to_owned()));
    }
    sleep(Duration::from_millis(50)).await;
    assert_eq!(directory.listed().len(), 1);
}

#[tokio::test]
async fn a_network_that_is_over_lists_nothing_more() {
    let directory = Fake::start();
    let text = descriptor(&[directory.url()], "2026-01-01T00:00:00Z");
    let host = start(toml::from_str(&text).unwrap(), FAST);
    host.offer(vec![offer("tiny", CLASS, 0)], &evidence(0))
        .unwrap();
    until("it is said", || held(&host.said).complaint.is_some()).await;
    let complaint = held(&host.said).complaint.clone().unwrap();
    assert!(complaint.contains("descriptor expired"), "{complaint}");
    assert_eq!(held(&directory.got).asked, 0);
}

#[test]
fn a_listing_that_is_too_long_is_said_here() {
    let long = format!("{}.example:443", ["a".repeat(60).as_str(); 3].join("."));
    let endpoints = (0..4).map(|at| Endpoint::parse(&format!("{at}x{long}")).unwrap());
    let terms = Terms {
        network: [0; 32],
        payee: [0; 32],
        lane_min: 0,
        delay_min: 0,
        endpoints: endpoints.collect(),
        region: String::new(),
    };
    let offers = vec![offer("tiny", CLASS, 0)];
    let offered = super::edition::Offered::read(
        offers,
        &evidence(0),
        &network(&["https://directory.example".to_owned()]),
    )
    .unwrap();
    let refused = terms.list(&offered, &operator(), 1, 1).unwrap_err();
    assert!(
        refused.contains("hint: name fewer or shorter addresses"),
        "{refused}"
    );
}
