//! Claims, as the contract pays them, and as a server gets in their way.

use std::{sync::Arc, time::Duration};

use chrysalis_chain::purse;

use super::{
    liar::Lie,
    world::{COIN, Client, FLOOR, Scene, payee},
};
use crate::{cashier::verify, mutex::held};

/// Over fifty times what a claim costs.
const MUCH: u64 = 400_000_000;

async fn owing(amount: u64) -> Scene {
    let scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    scene.host.note(scene.owed(amount)).await.unwrap();
    scene
}

#[tokio::test]
async fn a_claim_is_sent_once_it_is_worth_it_and_what_it_cost_is_known() {
    let scene = owing(MUCH).await;
    let round = scene.host.round(0).await;
    assert_eq!(round.sent.len(), 1);
    assert!(round.open && round.paid.is_empty(), "{round:?}");
    // It has happened once the chain shows it.
    let round = scene.host.round(1).await;
    assert!(!round.open && round.sent.is_empty(), "{round:?}");
    let paid = &round.paid[0];
    assert_eq!(paid.paid, Some(MUCH));
    // As measured: docs/spec/settle.md.
    assert_eq!(paid.cost, Some(5_966_000));
    assert_eq!(scene.world.balance(&payee()), MUCH - 5_966_000);
    assert_eq!(scene.host.tabs(scene.lane), [(MUCH, MUCH)]);
    for after in [20, 600, 10_000] {
        let round = scene.host.round(after).await;
        assert!(round.sent.is_empty() && round.paid.is_empty(), "{round:?}");
    }
    assert_eq!(scene.world.balance(&payee()), MUCH - 5_966_000);
    let takings = &scene.host.till.takings;
    assert_eq!((takings.owed.read(), takings.paid.read()), (MUCH, MUCH));
    assert_eq!((takings.due.read(), takings.claimed.read()), (0, 0));
}

#[tokio::test]
async fn less_waits_for_the_week_or_for_the_lane_to_close() {
    let scene = owing(60_000_000).await;
    assert!(scene.host.round(0).await.sent.is_empty());
    assert!(scene.host.round(6 * 24 * 3600).await.sent.is_empty());
    assert_eq!(scene.host.round(7 * 24 * 3600 + 60).await.sent.len(), 1);

    let scene = owing(FLOOR).await;
    assert!(scene.host.round(30 * 24 * 3600).await.sent.is_empty());
    // The notice is seen in one poll, although the lane was looked up a moment ago.
    scene.client.close(&scene.world, scene.lane);
    let round = scene.host.round(30 * 24 * 3600 + 1).await;
    assert_eq!(round.sent.len(), 1, "{round:?}");
    let round = scene.host.round(30 * 24 * 3600 + 2).await;
    assert_eq!(round.paid[0].paid, Some(FLOOR));
}

#[tokio::test]
async fn what_the_contract_would_refuse_is_not_sent() {
    let scene = owing(FLOOR - 1).await;
    scene.client.close(&scene.world, scene.lane);
    let round = scene.host.make_round(0, true).await;
    assert!(round.sent.is_empty(), "{round:?}");
    // It would indeed, by one nano.
    let message = |amount| {
        let owed = scene.owed(amount).remove(0);
        let body = verify::receipt(&owed).unwrap().claim().cell();
        purse::message(&scene.lane.address(), None, &body)
    };
    assert_eq!(scene.world.send(&message(FLOOR - 1)), Err(Some(402)));
    assert_eq!(scene.world.send(&message(FLOOR)), Ok(()));
}

#[tokio::test]
async fn tabs_share_what_is_left_in_the_lane() {
    let scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    let tab = |branch, amount| {
        scene
            .enclave
            .owed(&scene.client, scene.lane, branch, COIN, amount)
    };
    let owed = vec![tab(0, MUCH), tab(1, 2 * MUCH), tab(2, 0)];
    scene.host.note(owed).await.unwrap();
    let round = scene.host.make_round(0, true).await;
    let sent: Vec<u64> = round.sent.iter().map(|sent| sent.due).collect();
    assert_eq!(sent, [2 * MUCH, COIN - 2 * MUCH]);
    let round = scene.host.round(1).await;
    let paid: Vec<_> = round.paid.iter().map(|sent| sent.paid).collect();
    assert_eq!(paid.len(), 2, "{round:?}");
    assert!(
        round.paid.iter().all(|sent| sent.cost.is_some()),
        "{round:?}"
    );
    assert!(scene.host.make_round(60, true).await.sent.is_empty());
}

#[tokio::test]
async fn a_doubled_message_is_paid_once() {
    let scene = owing(MUCH).await;
    scene.liar.lies(Lie::DoublesSends);
    scene.host.round(0).await;
    assert_eq!(scene.host.round(1).await.paid.len(), 1);
    assert_eq!(scene.world.balance(&payee()), MUCH - 5_966_000);
}

#[tokio::test]
async fn a_lost_message_is_sent_again_until_it_shows() {
    let scene = owing(MUCH).await;
    scene.liar.lies(Lie::LosesSends);
    assert_eq!(scene.host.round(0).await.sent.len(), 1);
    assert!(scene.host.round(29).await.sent.is_empty());
    assert_eq!(scene.host.round(30).await.sent[0].times, 2);
    assert!(scene.host.round(60).await.sent.is_empty());
    // More is owed by now: the newest receipt is sent.
    scene.host.note(scene.owed(2 * MUCH)).await.unwrap();
    scene.liar.lies(Lie::None);
    assert_eq!(scene.host.round(91).await.sent[0].due, 2 * MUCH);
    let round = scene.host.round(92).await;
    assert_eq!(
        (round.paid[0].times, round.paid[0].paid),
        (3, Some(2 * MUCH))
    );
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_counts_as_what_it_is() {
    let scene = owing(MUCH).await;
    // The server took it; asked again, it says that nothing is due.
    scene.liar.lies(Lie::LosesAnswers);
    let round = scene.host.round(0).await;
    assert!(round.open && round.trouble.is_empty(), "{round:?}");
    let round = scene.host.round(1).await;
    assert_eq!(
        (round.paid[0].paid, round.paid[0].cost),
        (Some(MUCH), Some(5_966_000))
    );
}

#[tokio::test]
async fn a_server_that_is_late_has_nothing_paid_twice() {
    let scene = owing(MUCH).await;
    scene.liar.lies(Lie::Stale);
    assert_eq!(scene.host.round(0).await.sent.len(), 1);
    for after in [1, 30, 31, 400] {
        let round = scene.host.round(after).await;
        assert!(round.sent.is_empty() && round.paid.is_empty(), "{round:?}");
    }
    scene.liar.lies(Lie::None);
    scene.host.round(800).await;
    assert_eq!(scene.host.tabs(scene.lane), [(MUCH, MUCH)]);
    assert_eq!(scene.world.balance(&payee()), MUCH - 5_966_000);
}

#[tokio::test]
async fn while_the_chain_is_down_nothing_is_lost() {
    let scene = owing(MUCH).await;
    scene.liar.lies(Lie::Down);
    let round = scene.host.round(0).await;
    assert!(round.sent.is_empty(), "{round:?}");
    assert!(round.trouble[0].contains("cannot be reached"), "{round:?}");
    scene.liar.lies(Lie::None);
    assert_eq!(scene.host.round(1).await.sent.len(), 1);
    assert_eq!(scene.host.round(2).await.paid.len(), 1);
}

#[tokio::test]
async fn a_contract_that_asks_for_more_is_asked_again_with_more() {
    let scene = owing(MUCH).await;
    scene.liar.lies(Lie::Refuses(402));
    for after in [0, 30] {
        let round = scene.host.round(after).await;
        assert!(
            round.sent.is_empty() && round.trouble.is_empty(),
            "{round:?}"
        );
    }
    scene.liar.lies(Lie::None);
    let sends = scene.liar.asked("sendBoc");
    assert!(scene.host.round(400).await.sent.is_empty());
    assert_eq!(scene.liar.asked("sendBoc"), sends);
    scene.host.note(scene.owed(2 * MUCH)).await.unwrap();
    assert_eq!(scene.host.round(800).await.sent.len(), 1);

    // Any other refusal is worth a word.
    let scene = owing(MUCH).await;
    scene.liar.lies(Lie::Refuses(419));
    scene.host.round(0).await;
    let round = scene.host.round(30).await;
    assert!(round.trouble[0].contains("exit code 419"), "{round:?}");
}

#[tokio::test]
async fn what_somebody_else_claims_is_not_claimed_again() {
    let scene = owing(MUCH).await;
    let owed = scene.owed(MUCH - 50_000_000).remove(0);
    let body = verify::receipt(&owed).unwrap().claim().cell();
    let message = purse::message(&scene.lane.address(), None, &body);
    scene.world.send(&message).unwrap();
    assert!(scene.host.round(0).await.sent.is_empty());
    assert_eq!(scene.host.tabs(scene.lane), [(MUCH, MUCH - 50_000_000)]);
    let round = scene.host.make_round(1, true).await;
    assert_eq!(round.sent[0].due, 50_000_000);
}

#[tokio::test]
async fn a_lie_that_it_was_paid_does_not_last() {
    let scene = owing(MUCH).await;
    // A chain on which the same tab was paid.
    let other = scene.twin(COIN);
    let owed = scene.owed(MUCH).remove(0);
    let body = verify::receipt(&owed).unwrap().claim().cell();
    let message = purse::message(&scene.lane.address(), None, &body);
    other.send(&message).unwrap();
    scene.liar.lies(Lie::Account(other.url()));
    assert!(scene.host.round(0).await.sent.is_empty());
    assert_eq!(scene.host.tabs(scene.lane), [(MUCH, MUCH)]);
    scene.liar.lies(Lie::None);
    // An older answer is not taken at once, but it is in the end: here, after a restart.
    let mut scene = scene;
    scene.restart(None);
    assert_eq!(scene.host.round(4000).await.sent.len(), 1);
    assert_eq!(scene.host.round(4001).await.paid.len(), 1);
}

#[tokio::test]
async fn a_lane_that_is_gone_is_claimed_on_no_more() {
    let scene = owing(MUCH).await;
    scene.liar.lies(Lie::OtherCode);
    assert!(scene.host.round(0).await.sent.is_empty());
    assert_eq!(scene.host.till.count().unwrap().due, 0);
    assert!(scene.host.round(600).await.sent.is_empty());
    // It was a lie.
    scene.liar.lies(Lie::None);
    assert!(scene.host.round(4000).await.open);
    // A claim that is under way there is not waited for either, and is found again.
    scene.liar.lies(Lie::OtherCode);
    assert!(!scene.host.round(4001).await.open);
    scene.liar.lies(Lie::None);
    assert_eq!(scene.host.round(8000).await.paid.len(), 1);
}

#[tokio::test]
async fn questions_about_lanes_that_do_not_exist_keep_no_claim_back() {
    let scene = owing(MUCH).await;
    for purse in 0..80_u8 {
        let answers = Arc::clone(&scene.host.answers);
        tokio::spawn(async move { answers.lane(&[purse; 32], 7).await });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let round = scene.host.round(0).await;
    assert_eq!(round.sent.len(), 1, "{round:?}");
}

#[tokio::test]
async fn purses_do_not_stand_in_each_others_way() {
    let scene = owing(MUCH).await;
    let other = Client::new(&scene.world, 8, 2 * COIN);
    let lane = other.lock(&scene.world, COIN);
    scene.host.ceiling(lane).await.unwrap();
    let owed = scene.enclave.owed(&other, lane, 0, COIN, MUCH + 1);
    scene.host.note(vec![owed]).await.unwrap();
    assert_eq!(scene.host.round(0).await.sent.len(), 2);
    let round = scene.host.round(1).await;
    assert_eq!(round.paid.len(), 2);
    assert!(
        round.paid.iter().all(|sent| sent.cost == Some(5_966_000)),
        "{round:?}"
    );
    assert_eq!(held(&scene.host.till.book).costs().unwrap(), 2 * 5_966_000);
}
