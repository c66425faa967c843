//! A disk that is full, a database that is locked, rolled back, or somebody else's.

use std::{fs, sync::Arc, time::Duration};

use chrysalis_chain::{LOCAL_ID, server};
use rusqlite::Connection;

use super::world::{COIN, Host, Scene, database, payee};
use crate::{
    cashier::{
        book::{Book, Owner},
        lock,
        lookout::Lookout,
        owner,
        till::Till,
    },
    mutex::held,
};

#[tokio::test]
async fn nothing_is_noted_while_another_program_holds_the_database() {
    let scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    held(&scene.host.till.book).wait_no_longer_than(Duration::from_millis(50));
    let other = Connection::open(database(scene.folder.path())).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = Err("not_noted".to_owned());
    assert_eq!(scene.host.note(scene.owed(500)).await, refused);
    assert!(scene.host.tabs(scene.lane).is_empty());
    other.execute_batch("ROLLBACK").unwrap();
    scene.host.note(scene.owed(500)).await.unwrap();
    assert_eq!(scene.host.tabs(scene.lane), [(500, 0)]);
}

#[tokio::test]
async fn a_lane_that_closes_is_claimed_even_where_nothing_can_be_written() {
    let scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    scene.host.note(scene.owed(100_000_000)).await.unwrap();
    scene.client.close(&scene.world, scene.lane);
    held(&scene.host.till.book).wait_no_longer_than(Duration::from_millis(50));
    let other = Connection::open(database(scene.folder.path())).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let round = scene.host.round(0).await;
    assert_eq!(round.sent.len(), 1, "{round:?}");
    assert!(round.trouble[0].contains("database is locked"), "{round:?}");
    assert!(scene.world.balance(&payee()) > 90_000_000);
    other.execute_batch("ROLLBACK").unwrap();
    let round = scene.host.round(400).await;
    assert!(
        round.sent.is_empty() && round.trouble.is_empty(),
        "{round:?}"
    );
    assert_eq!(scene.host.tabs(scene.lane), [(100_000_000, 100_000_000)]);
}

#[tokio::test]
async fn nothing_is_noted_on_a_full_disk() {
    let scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    held(&scene.host.till.book).fill_up();
    let tab = |branch| {
        scene
            .enclave
            .owed(&scene.client, scene.lane, branch, COIN, 500)
    };
    let batch: Vec<_> = (0..200).map(tab).collect();
    let refused = scene.host.note(batch.clone()).await;
    assert_eq!(refused, Err("not_noted".to_owned()));
    // All of a batch, or nothing.
    assert!(scene.host.tabs(scene.lane).is_empty());
    held(&scene.host.till.book).make_room();
    scene.host.note(batch).await.unwrap();
    assert_eq!(scene.host.tabs(scene.lane).len(), 200);
}

#[tokio::test]
async fn a_database_that_was_rolled_back_catches_up() {
    let mut scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    scene.host.note(scene.owed(300_000_000)).await.unwrap();
    let copy = scene.folder.path().join("old.db");
    held(&scene.host.till.book).copy_to(&copy).unwrap();
    scene.host.note(scene.owed(500_000_000)).await.unwrap();
    scene.host.round(0).await;
    assert_eq!(scene.host.round(1).await.paid.len(), 1);

    let folder = tempfile::tempdir().unwrap();
    fs::rename(&copy, database(folder.path())).unwrap();
    scene.folder = folder;
    scene.restart(None);
    // The chain says that all of the old receipt was paid, and more.
    assert!(scene.host.make_round(400, true).await.sent.is_empty());
    scene.host.note(scene.owed(600_000_000)).await.unwrap();
    let round = scene.host.make_round(401, true).await;
    assert_eq!(round.sent[0].due, 100_000_000);
    assert_eq!(scene.host.round(402).await.paid.len(), 1);
    // Both claims at the measured cost, and a nano or two of rent on the account between them.
    let arrived = 600_000_000 - 5_966_000 - 5_890_000;
    let balance = scene.world.balance(&payee());
    assert!((arrived - 10..=arrived).contains(&balance), "{balance}");
}

#[tokio::test]
async fn what_was_sent_before_a_crash_is_followed_after_it() {
    let mut scene = Scene::new();
    scene.host.ceiling(scene.lane).await.unwrap();
    scene.host.note(scene.owed(400_000_000)).await.unwrap();
    assert_eq!(scene.host.round(0).await.sent.len(), 1);
    scene.restart(None);
    let round = scene.host.round(1).await;
    assert_eq!(round.paid[0].cost, Some(5_966_000));
    assert!(round.sent.is_empty());
}

#[test]
fn a_database_is_one_payees_on_one_chain_and_one_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path());
    let world = super::world::World::start();
    let server = server::open(&world.url(), None).unwrap();
    let mut book = Book::open_or_create(&path).unwrap();
    let network = owner::claim(&mut book, &payee(), &server).unwrap();
    assert_eq!(network, Some(LOCAL_ID));
    let other = tycho_types::models::StdAddr::new(0, [1; 32].into());
    let refused = owner::claim(&mut book, &other, &server)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("is for the payee 0:aaaa"), "{refused}");
    let refused = owner::same_chain(Some(-239), LOCAL_ID).unwrap_err();
    assert!(
        refused.to_string().contains("of the chain -239"),
        "{refused}"
    );

    let first = lock(&path).unwrap();
    let refused = lock(&path).unwrap_err().to_string();
    assert!(refused.contains("another run"), "{refused}");
    drop(first);
    lock(&path).unwrap();
}

#[test]
fn a_chain_that_comes_later_is_written_down() {
    let world = super::world::World::start();
    let mut book = Book::in_memory().unwrap();
    let owner = Owner {
        payee: payee(),
        network: None,
    };
    book.set_owner(&owner).unwrap();
    let server = server::open(&world.url(), None).unwrap();
    let lookout = Lookout::new(Box::new(server), payee(), None);
    assert!(!lookout.is_local());
    let till = Till::new(book, lookout, Arc::default());
    assert!(till.round(0, false).trouble.is_empty());
    let owner = held(&till.book).owner().unwrap().unwrap();
    assert_eq!(owner.network, Some(LOCAL_ID));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path());
    fs::write(&path, "x".repeat(5000)).unwrap();
    let refused = Book::open(&path).err().unwrap().to_string();
    assert!(refused.contains("put it aside"), "{refused}");
    let other = folder.path().join("other.db");
    let db = Connection::open(&other).unwrap();
    db.execute_batch("PRAGMA user_version = 99; CREATE TABLE t (x)")
        .unwrap();
    for refused in [Book::open(&other), Book::read(&other)] {
        let refused = refused.err().unwrap().to_string();
        assert!(refused.contains("of this version"), "{refused}");
    }
    let absent = folder.path().join("absent.db");
    let refused = format!("{:#}", Book::read(&absent).err().unwrap());
    assert!(refused.contains("--cashier"), "{refused}");
    // One that is empty becomes one.
    let _ = Host::new(
        tempfile::tempdir().unwrap().path(),
        "http://127.0.0.1:1/api/v2",
        None,
    );
}
