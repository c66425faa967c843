//! What is noted, and what is not.

use chrysalis_settle::price::{Load, Price};
use chrysalis_settle::{Report, Sign};
use chrysalis_wire::host::{FromHost, MAX_OWED, Owed};

use super::{
    liar::Lie,
    world::{COIN, Client, Enclave, Scene},
};
use crate::{cashier::lane::LaneId, mutex::held};

#[tokio::test]
async fn only_what_is_more_takes_the_place_of_what_there_is() {
    let scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    let tab = |cap, amount| {
        vec![
            scene
                .enclave
                .owed(&scene.client, scene.lane, 0, cap, amount),
        ]
    };
    for (cap, amount, owed) in [
        (100, 50, 50),
        (100, 50, 50),
        (100, 20, 50),
        (60, 70, 70),
        (60, 40, 70),
        (100, 130, 100),
        (200, 90, 130),
        (0, 0, 130),
        (u64::MAX, u64::MAX, u64::MAX),
        (1, 1, u64::MAX),
    ] {
        scene.host.note(tab(cap, amount)).await.unwrap();
        assert_eq!(scene.host.tabs(scene.lane), [(owed, 0)], "{cap} {amount}");
    }
    assert_eq!(scene.host.till.takings.refused.read(), 0);
}

#[tokio::test]
async fn what_is_not_signed_is_refused_and_counted_and_the_rest_is_kept() {
    let scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    let good = scene.owed(500).remove(0);
    let change = |what: fn(&mut Owed)| {
        let mut other = scene.enclave.owed(&scene.client, scene.lane, 1, 1000, 500);
        what(&mut other);
        other
    };
    let wrong = [
        (change(|it| it.signature[0] ^= 1), "receipt_signature"),
        (change(|it| it.signature.push(0)), "receipt_signature"),
        (change(|it| it.receipt_key[0] ^= 1), "receipt_signature"),
        (change(|it| it.receipt_key.clear()), "receipt_signature"),
        (change(|it| it.statement[50] ^= 1), "receipt_signature"),
        (change(|it| it.statement[0] ^= 1), "statement_malformed"),
        (change(|it| it.statement.clear()), "statement_malformed"),
        (change(|it| it.credential[36] ^= 1), "statement_malformed"),
        (
            change(|it| it.credential.truncate(109)),
            "credential_malformed",
        ),
        (change(|it| it.credential[109] ^= 1), "cap_signature"),
        // A higher cap than was signed.
        (change(|it| it.credential[40] ^= 1), "cap_signature"),
        // Another enclave's receipt, under this client's cap for the first.
        (
            Owed {
                credential: good.credential.clone(),
                ..Enclave::new(4).owed(&scene.client, scene.lane, 0, 1000, 500)
            },
            "cap_signature",
        ),
        (
            scene.enclave.owed(
                &scene.client,
                LaneId {
                    lane: 9,
                    ..scene.lane
                },
                0,
                1000,
                500,
            ),
            "lane_unknown",
        ),
        (
            scene.enclave.owed(
                &scene.client,
                LaneId {
                    lane: 0,
                    ..scene.lane
                },
                0,
                1000,
                500,
            ),
            "statement_malformed",
        ),
    ];
    for (count, (wrong, code)) in wrong.into_iter().enumerate() {
        let batch = vec![wrong, good.clone()];
        assert_eq!(scene.host.note(batch).await, Err(code.to_owned()));
        assert_eq!(scene.host.tabs(scene.lane), [(500, 0)], "{code}");
        assert_eq!(scene.host.till.takings.refused.read(), count as u64 + 1);
    }
    let many = vec![good; MAX_OWED + 1];
    scene.host.note(many).await.unwrap_err();
    assert_eq!(scene.host.note(Vec::new()).await, Ok(()));
}

#[tokio::test]
async fn a_known_lane_is_noted_while_the_chain_is_down_or_the_lane_closes() {
    let scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    scene.client.close(&scene.world, scene.lane);
    scene.liar.lies(Lie::Down);
    scene.host.note(scene.owed(500)).await.unwrap();
    assert_eq!(scene.host.tabs(scene.lane), [(500, 0)]);
    let other = Client::new(&scene.world, 8, 2 * COIN);
    let lane = other.lock(&scene.world, COIN);
    let unknown = scene.enclave.owed(&other, lane, 0, COIN, 700);
    let refused = scene.host.note(vec![unknown]).await;
    assert_eq!(refused, Err("chain_unreachable".to_owned()));
    // No receipt is wrong.
    assert_eq!(scene.host.till.takings.refused.read(), 0);
}

#[tokio::test]
async fn a_lost_database_is_healed_by_what_the_enclave_sends_again() {
    let mut scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    scene.host.note(scene.owed(400_000_000)).await.unwrap();
    scene.host.round(0).await;
    assert_eq!(scene.host.round(1).await.paid.len(), 1);
    scene.host.note(scene.owed(450_000_000)).await.unwrap();

    scene.folder = tempfile::tempdir().unwrap();
    scene.restart(None);
    scene.client.close(&scene.world, scene.lane);
    scene.host.note(scene.owed(450_000_000)).await.unwrap();
    // What was paid is not claimed again: the chain says what was.
    let round = scene.host.round(2).await;
    let sent: Vec<_> = round.sent.iter().map(|sent| sent.due).collect();
    assert_eq!(sent, [50_000_000]);
    assert_eq!(scene.host.round(3).await.paid.len(), 1);
    assert_eq!(scene.host.tabs(scene.lane), [(450_000_000, 450_000_000)]);
}

#[tokio::test]
async fn reports_are_kept_once_each_and_only_if_they_are_signed() {
    struct Key(Enclave);
    impl Sign for Key {
        fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
            Some(self.0.sign(digest))
        }
    }
    let scene = Scene::new();
    let key = Key(Enclave::new(3));
    let report = |epoch| Report {
        receipt_key: key.0.key(),
        weights: [1; 32],
        epoch,
        price: Price::new(20),
        rates: [1; 4],
        asked: [20; 4],
        load: Load::default(),
        jobs: 1,
        failed: 0,
        revenue: 2,
        tabs: 1,
        first_token_ms: 3,
        tokens_per_second: 4,
        ended: 5,
    };
    let signed = |epoch| report(epoch).sign(&key).unwrap().encode();
    for epoch in [0, 1, 1] {
        let noted = scene.host.answers.report(signed(epoch)).await;
        assert_eq!(noted, FromHost::Noted);
    }
    let mut forged = signed(2);
    *forged.last_mut().unwrap() ^= 1;
    for (wrong, code) in [
        (forged, "report_signature"),
        (vec![1, 2], "report_malformed"),
    ] {
        let refused = FromHost::Refused(code.to_owned());
        assert_eq!(scene.host.answers.report(wrong).await, refused);
    }
    assert_eq!(held(&scene.host.till.book).reports().unwrap(), 2);
}
