//! Which lanes count as funded, and how far they may go.

use std::time::{Duration, Instant};

use chrysalis_wire::host::FromHost;
use tycho_types::models::StdAddr;

use super::{
    liar::Lie,
    world::{COIN, CONDITIONS, Enclave, FLOOR, Scene},
};
use crate::cashier::{answers::Conditions, lane::LaneId};

const PAUSE: Option<Duration> = Some(Duration::from_millis(300));

#[tokio::test]
async fn a_funded_lane_may_go_as_far_as_it_has_money() {
    let scene = Scene::new();
    let FromHost::Lane { spend_key, ceiling } = scene.host.lane(scene.lane).await else {
        panic!("refused")
    };
    let lanes = scene.world.state(&scene.lane.purse).lanes;
    assert_eq!(spend_key, lanes[&scene.lane.lane].spend_key);
    assert_eq!(ceiling, COIN);
    assert_eq!(scene.host.answers.terms(), FromHost::Terms { floor: 20 });
}

#[tokio::test]
async fn a_lane_counts_once_two_answers_agree() {
    let scene = Scene::pausing(PAUSE);
    let begun = Instant::now();
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN));
    assert!(begun.elapsed() >= PAUSE.unwrap());
    assert_eq!(scene.liar.asked("getAddressInformation"), 2);
    // What was agreed on is remembered, by the next run as well.
    let begun = Instant::now();
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN));
    let mut scene = scene;
    scene.restart(Some(Duration::from_secs(20)));
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn two_answers_that_differ_are_none() {
    let scene = Scene::pausing(Some(Duration::from_secs(1)));
    let rich = scene.twin(20 * COIN);
    scene.liar.lies(Lie::Account(rich.url()));
    let honest_again = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        scene.liar.lies(Lie::None);
    };
    let (found, ()) = tokio::join!(scene.host.ceiling(scene.lane), honest_again);
    assert_eq!(found, Err("chain_unreachable".to_owned()));
}

#[tokio::test]
async fn what_is_added_to_a_lane_counts_after_two_answers_as_well() {
    let scene = Scene::pausing(PAUSE);
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN));
    scene.client.add(&scene.world, scene.lane, COIN);
    scene
        .host
        .till
        .lookout
        .look(&scene.lane.purse, Duration::ZERO)
        .unwrap();
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN));
    tokio::time::sleep(PAUSE.unwrap()).await;
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(2 * COIN));
}

#[tokio::test]
async fn what_is_no_lane_of_ours_is_unknown() {
    let scene = Scene::new();
    let unknown = Err("lane_unknown".to_owned());
    let other = StdAddr::new(0, [0xCC; 32].into());
    let theirs = scene.client.lock_for(&scene.world, &other, 0, COIN);
    let nowhere = LaneId {
        purse: [5; 32],
        ..scene.lane
    };
    let no_such = LaneId {
        lane: 77,
        ..scene.lane
    };
    for lane in [theirs, nowhere, no_such] {
        assert_eq!(scene.host.ceiling(lane).await, unknown);
    }
    // It is not looked up again at once.
    let asked = scene.liar.asked("getAddressInformation");
    assert_eq!(scene.host.ceiling(nowhere).await, unknown);
    assert_eq!(scene.liar.asked("getAddressInformation"), asked);
    for purse in [&[][..], &[1; 31], &[1; 33]] {
        let refused = FromHost::Refused("lane_unknown".to_owned());
        assert_eq!(scene.host.answers.lane(purse, 7).await, refused);
        assert_eq!(scene.host.answers.lane(&scene.lane.purse, 0).await, refused);
    }
    let scene = Scene::new();
    scene.liar.lies(Lie::OtherCode);
    assert_eq!(scene.host.ceiling(scene.lane).await, unknown);
}

#[tokio::test]
async fn a_lane_smaller_than_is_served_may_not_be_used_until_it_is_large_enough() {
    let scene = Scene::new();
    let lane = scene.client.lock(&scene.world, COIN - 1);
    let small = Err("lane_too_small".to_owned());
    assert_eq!(scene.host.ceiling(lane).await, small);
    scene.client.add(&scene.world, lane, 1);
    let lookout = &scene.host.till.lookout;
    lookout.look(&lane.purse, Duration::ZERO).unwrap();
    assert_eq!(scene.on(CONDITIONS).ceiling(lane).await, Ok(COIN));
}

#[tokio::test]
async fn a_lane_that_closes_sooner_than_is_served_may_not_be_used() {
    let scene = Scene::new();
    let patient = Conditions {
        delay_min: CONDITIONS.delay_min + 1,
        ..CONDITIONS
    };
    let soon = Err("lane_closes_too_soon".to_owned());
    assert_eq!(scene.on(patient).ceiling(scene.lane).await, soon);
    assert_eq!(scene.on(CONDITIONS).ceiling(scene.lane).await, Ok(COIN));
}

#[tokio::test]
async fn a_lane_that_closes_may_not_be_used() {
    let scene = Scene::new();
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN));
    scene.client.close(&scene.world, scene.lane);
    scene
        .host
        .till
        .lookout
        .look(&scene.lane.purse, Duration::ZERO)
        .unwrap();
    let closing = Err("lane_closing".to_owned());
    assert_eq!(scene.host.ceiling(scene.lane).await, closing);
}

#[tokio::test]
async fn a_chain_that_is_not_there_or_rambles_funds_nothing() {
    for lie in [
        Lie::Nonsense("{}"),
        Lie::Nonsense(r#"{"ok":true,"result":{"state":"active","code":"AA==","data":"AA=="}}"#),
        Lie::Down,
    ] {
        let scene = Scene::new();
        scene.liar.lies(lie);
        let unreachable = Err("chain_unreachable".to_owned());
        assert_eq!(scene.host.ceiling(scene.lane).await, unreachable);
    }
}

#[tokio::test]
async fn an_old_answer_does_not_take_the_place_of_a_newer_one() {
    let scene = Scene::new();
    // The chain as it was before the client began to close the lane.
    let before = scene.twin(COIN);
    scene.client.close(&scene.world, scene.lane);
    let closing = Err("lane_closing".to_owned());
    assert_eq!(scene.host.ceiling(scene.lane).await, closing);
    scene.liar.lies(Lie::Account(before.url()));
    let look = || {
        scene
            .host
            .till
            .lookout
            .look(&scene.lane.purse, Duration::ZERO)
    };
    look().unwrap_err();
    scene.liar.lies(Lie::None);
    look().unwrap();
}

#[tokio::test]
async fn an_enclave_may_not_use_what_those_before_it_are_owed() {
    let mut scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    scene.host.note(scene.owed(COIN / 4)).await.unwrap();
    // Its own tabs count by what they may owe in all.
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN));
    scene.restart(None);
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN / 4 * 3));
    // It is the same once that is paid.
    let round = scene.host.make_round(0, true).await;
    assert_eq!(round.sent.len(), 1);
    assert_eq!(scene.host.round(1).await.paid.len(), 1);
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN / 4 * 3));
    // And where the database is lost: the chain knows.
    let folder = tempfile::tempdir().unwrap();
    scene.folder = folder;
    scene.restart(None);
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN / 4 * 3));
}

#[tokio::test]
async fn what_is_too_little_to_be_claimed_holds_nothing_back() {
    let mut scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    scene.host.note(scene.owed(FLOOR - 1)).await.unwrap();
    scene.restart(None);
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN));
}

#[tokio::test]
async fn a_thousand_tabs_that_owe_too_little_each_are_stopped() {
    let scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    let enclave = Enclave::new(3);
    let tab = |branch| enclave.owed(&scene.client, scene.lane, branch, COIN, FLOOR - 1);
    scene.host.note((0..10).map(tab).collect()).await.unwrap();
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(COIN));
    scene.host.note((10..20).map(tab).collect()).await.unwrap();
    assert_eq!(scene.host.ceiling(scene.lane).await, Ok(20 * (FLOOR - 1)));
}
