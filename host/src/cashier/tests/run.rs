//! What a run's enclave is answered, from the options on.

use chrysalis_wire::host::{FromHost, ToHost};

use super::world::{COIN, Client, Enclave, World, payee};
use crate::{
    cashier::{
        Cashier,
        options::{LaneOptions, PaymentOptions},
    },
    state::StateFolder,
};

/// Paid to the test's payee, on the chain that `world` simulates.
fn options(world: &World) -> PaymentOptions {
    PaymentOptions {
        payee: Some(payee()),
        chain: vec![world.url()],
        chain_key_file: Vec::new(),
        floor: Some(20),
        lanes: LaneOptions {
            lane_min: COIN,
            delay_min: 3600,
        },
        cashier: None,
        fleet_cashier: None,
        fleet_secret_file: None,
    }
}

#[tokio::test]
async fn a_run_that_is_paid_answers_what_its_enclave_asks() {
    let world = World::start();
    let client = Client::new(&world, 7, 3 * COIN);
    let lane = client.lock(&world, COIN);
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::claim(Some(folder.path().to_owned())).unwrap();
    let cashier = Cashier::start(&options(&world), &state).await.unwrap();
    let terms = FromHost::Terms { floor: 20 };
    assert_eq!(cashier.answer(ToHost::Terms).await, terms);
    let question = ToHost::Lane {
        purse: lane.purse.to_vec(),
        lane: lane.lane,
    };
    let FromHost::Lane { ceiling, .. } = cashier.answer(question).await else {
        panic!("refused")
    };
    assert_eq!(ceiling, COIN);
    let owed = Enclave::new(3).owed(&client, lane, 0, COIN, 500);
    let noted = cashier.answer(ToHost::Owed(vec![owed])).await;
    assert_eq!(noted, FromHost::Noted);
    for (question, code) in [
        (ToHost::Report(Vec::new()), "report_malformed"),
        (ToHost::Configuration, "this is no question about payment"),
    ] {
        let refused = FromHost::Refused(code.to_owned());
        assert_eq!(cashier.answer(question).await, refused);
    }
    assert!(folder.path().join("cashier.db").exists());
    // A second run with the same database would let the same money be used twice.
    let other = tempfile::tempdir().unwrap();
    let other = StateFolder::claim(Some(other.path().to_owned())).unwrap();
    let options = PaymentOptions {
        cashier: Some(folder.path().join("cashier.db")),
        ..options(&world)
    };
    let refused = Cashier::start(&options, &other).await.err().unwrap();
    assert!(refused.to_string().contains("another run"), "{refused}");
}

#[tokio::test]
async fn what_an_enclave_leaves_is_claimed_though_it_is_little() {
    let world = World::start();
    let client = Client::new(&world, 7, 3 * COIN);
    let lane = client.lock(&world, COIN);
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::claim(Some(folder.path().to_owned())).unwrap();
    let cashier = Cashier::start(&options(&world), &state).await.unwrap();
    // Too little for a claim while the tab may grow.
    let owed = Enclave::new(3).owed(&client, lane, 0, COIN, 100_000_000);
    let noted = cashier.answer(ToHost::Owed(vec![owed])).await;
    assert_eq!(noted, FromHost::Noted);
    cashier.claim_the_last().await;
    assert!(world.balance(&payee()) > 90_000_000);
    // Nothing is claimed twice.
    let balance = world.balance(&payee());
    cashier.claim_the_last().await;
    assert_eq!(world.balance(&payee()), balance);
}
