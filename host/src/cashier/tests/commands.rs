//! What a person asks.

use super::world::{COIN, Host, Scene, database, payee};
use crate::{
    cashier::{
        book::Book,
        command::tests::{learn, status_json, status_text},
    },
    mutex::held,
};

#[tokio::test]
async fn the_status_says_what_is_owed_claimed_and_paid() {
    let scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    scene.host.note(scene.owed(400_000_000)).await.unwrap();
    scene.host.round(0).await;
    let book = Book::read(&database(scene.folder.path())).unwrap();
    let text = status_text(&book);
    assert!(
        text.contains("the local chain: nothing here is worth anything"),
        "{text}"
    );
    let line = text
        .lines()
        .find(|line| line.starts_with(&scene.lane.to_string()));
    let columns: Vec<_> = line.unwrap().split_whitespace().collect();
    assert_eq!(columns[1..], ["open", "1", "0.4", "0.4", "0", "0.4"]);
    scene.host.round(1).await;
    let json = status_json(&book);
    let sums = ["owed", "claimed", "paid", "due", "fees"].map(|name| json[name].as_u64().unwrap());
    assert_eq!(sums, [400_000_000, 0, 400_000_000, 0, 5_966_000]);
    assert_eq!(json["payee"], payee().to_string());
    assert_eq!(json["lanes"][0]["purse"], scene.lane.address().to_string());
    assert_eq!(json["lanes"][0]["paid"], 400_000_000);
    assert_eq!(json["claims"][0]["cost"], 5_966_000);
}

#[tokio::test]
async fn a_watchtower_claims_from_a_copy_that_it_only_reads() {
    let scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    scene.host.note(scene.owed(100_000_000)).await.unwrap();
    let copy = scene.folder.path().join("copy.db");
    held(&scene.host.till.book).copy_to(&copy).unwrap();
    let before = std::fs::read(&copy).unwrap();

    let tower = Host::with(Book::in_memory().unwrap(), &scene.world.url(), None);
    learn(&tower.till, &copy).unwrap();
    assert!(tower.round(0).await.sent.is_empty());
    scene.client.close(&scene.world, scene.lane);
    learn(&tower.till, &copy).unwrap();
    assert_eq!(tower.round(1).await.sent.len(), 1);
    assert_eq!(tower.round(2).await.paid.len(), 1);
    assert_eq!(std::fs::read(&copy).unwrap(), before);
    // A copy that is gone, or half there, changes nothing.
    std::fs::write(&copy, "half").unwrap();
    learn(&tower.till, &copy).unwrap_err();
    assert_eq!(tower.tabs(scene.lane), [(100_000_000, 100_000_000)]);
    // The host, back again, claims no more than is due.
    let round = scene.host.make_round(400, true).await;
    assert!(round.sent.is_empty(), "{round:?}");
    assert_eq!(scene.host.tabs(scene.lane), [(100_000_000, 100_000_000)]);
    assert!(scene.world.balance(&payee()) < COIN);
}
