//! What the host is handed to list: at the start, in each epoch, until it is noted, and never without the key.

use std::time::Duration;

use chrysalis_attestation::evidence::{Evidence, binding::host_data, claims::Claims};
use chrysalis_settle::{Attested, EpochEvidence, Offer, SignedOffer};
use tokio::time::{sleep, timeout};

use super::{
    PATIENCE,
    client::connect,
    epochs,
    host::{self, Bank, FakeHost, attested, configuration},
};
use crate::{engine::fake, serve::Bounds};

/// What the host was handed, once it has so many of them: the offers, the evidence for them, and its key.
async fn offered(host: &FakeHost, count: usize) -> Vec<(Vec<Offer>, Evidence, Vec<u8>)> {
    let wait = async {
        loop {
            let offered = host.bank.lock().unwrap().offered.clone();
            if offered.len() >= count {
                return offered;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let offered = timeout(PATIENCE, wait).await.unwrap();
    let read = |(offers, evidence): (Vec<Vec<u8>>, Vec<u8>)| {
        let offers = offers.iter().map(|it| SignedOffer::verify(it).unwrap());
        let EpochEvidence { spki, bundle } = EpochEvidence::decode(&evidence).unwrap();
        (offers.collect(), Evidence::decode(&bundle).unwrap(), spki)
    };
    offered.into_iter().map(read).collect()
}

#[tokio::test]
async fn each_model_is_offered_at_the_start_though_nobody_pays() {
    let (host, _story) = host::enclave().await;
    let (offers, evidence, spki) = offered(&host, 1).await.remove(0);
    let claims = Claims::decode(&evidence.claims).unwrap();
    let expected = Offer {
        receipt_key: claims.receipt_key,
        epoch: 0,
        evidence: Attested::of(&claims, &evidence).evidence,
        configuration: host_data(&host.configuration),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        platform: "simulated".to_owned(),
        gpus: 0,
        model: "tiny".to_owned(),
        kind: "chat".to_owned(),
        weights: claims.models[0].weights,
        context: 100_000,
        slots: 1,
        tokens_per_second: 0,
    };
    assert_eq!(offers, [expected]);
    let stream = connect(host.folder.path()).await;
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let (_, key) = Evidence::from_certificate(&certificate).unwrap();
    assert_eq!(spki, key, "the evidence is bound to the key that ends TLS");
    // Once is enough.
    sleep(Duration::from_millis(600)).await;
    assert_eq!(offered(&host, 1).await.len(), 1);
}

#[tokio::test]
async fn each_epoch_is_offered_with_evidence_of_its_own() {
    let (host, _keys, _story) = epochs::enclave(fake::echo, Duration::from_millis(500)).await;
    let offered = offered(&host, 3).await;
    for (epoch, (offers, evidence, _)) in offered.iter().enumerate() {
        let claims = Claims::decode(&evidence.claims).unwrap();
        let [offer] = &offers[..] else {
            panic!("{offers:?}")
        };
        assert_eq!((offer.epoch, claims.epoch), (epoch as u64, epoch as u64));
        assert_eq!(offer.evidence, Attested::of(&claims, evidence).evidence);
        assert_eq!((offer.gpus, offer.slots), (1, 8));
        assert_ne!(
            offer.evidence,
            offered[usize::from(epoch == 0)].0[0].evidence
        );
    }
}

#[tokio::test]
async fn a_host_that_does_not_note_offers_is_told_again() {
    let configuration = configuration();
    let digest = host_data(&configuration);
    let host = FakeHost::start(configuration, digest);
    host.bank.lock().unwrap().deaf = 2;
    let attested = attested(host.words(), fake::echo).await.unwrap();
    let story = tokio::spawn(attested.serve_within(Bounds::default()));
    host.serves(&story).await;
    offered(&host, 1).await;
    assert_eq!(host.bank.lock().unwrap().deaf, 0);
}

#[tokio::test]
async fn nothing_is_offered_once_the_key_is_gone() {
    let configuration = configuration();
    let digest = host_data(&configuration);
    let host = FakeHost::start(configuration, digest);
    let attested = attested(host.words(), fake::echo).await.unwrap();
    attested.attester.keys().wipe();
    let story = tokio::spawn(attested.serve_within(Bounds::default()));
    host.serves(&story).await;
    sleep(Duration::from_millis(600)).await;
    let Bank { offered, .. } = &*host.bank.lock().unwrap();
    assert!(offered.is_empty() && !story.is_finished());
}
