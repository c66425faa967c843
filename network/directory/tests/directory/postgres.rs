//! The same in PostgreSQL. `make test-postgres` runs this.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrysalis_directory::{
    Cuts, Desk, Origin, Publisher,
    store::{Postgres, Shared},
};
use chrysalis_image::publish::{Passphrase, SigningKey, development};
use chrysalis_test_support::postgres::{Server, answered};
use postgres::{Client, NoTls};

use crate::world::{Enclave, Making, NOW, World};

fn store(server: &Server, database: &str) -> Shared {
    let mut admin = answered(|| Client::connect(&server.words("postgres"), NoTls).ok());
    // Another store of the test may have made it.
    let _ = admin.batch_execute(&format!("CREATE DATABASE {database}"));
    Shared::new(Postgres::open(&server.words(database)).unwrap())
}

/// What a directory is for, once through.
fn play(world: &mut World) {
    world.publisher.tick().unwrap();
    let mut one = Enclave::new("one");
    let old = one.upload(world).encode();
    world.desk.list(&old).unwrap();
    let reports = one.reports(4);
    for report in [
        &reports[0],
        &reports[1],
        &reports[3],
        &reports[2],
        &reports[2],
    ] {
        world.desk.report(report).unwrap();
    }
    world.hands.pass(61);
    world.publisher.tick().unwrap();
    (one.seq, one.bring) = (u64::MAX, false);
    world.list(&one).unwrap();
    assert_eq!(
        world.desk.list(&old).unwrap_err().code,
        "listing_superseded"
    );
    let mut many = Enclave::new("many");
    for number in 0..63 {
        many.operator = format!("operator {number}");
        world.list(&many).unwrap();
    }
    many.operator = format!("operator {}", 63);
    assert_eq!(world.list(&many).unwrap_err().code, "chip_full");
    world.hands.pass(600);
    world.publisher.tick().unwrap();
    world.hands.pass(3 * 3600);
    world.publisher.tick().unwrap();
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn both_databases_publish_the_same_bytes() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut sqlite = World::new();
    play(&mut sqlite);
    let folder = tempfile::tempdir().unwrap();
    for key in ["log.pem", "network.pem"] {
        fs::copy(sqlite.folder.path().join(key), folder.path().join(key)).unwrap();
    }
    let store = Some(store(&server, "one"));
    let making = Making {
        store,
        ..Making::default()
    };
    let mut postgres = World::in_folder(folder, making);
    play(&mut postgres);
    let (one, other) = (files(&sqlite.public()), files(&postgres.public()));
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        other.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &one {
        // A simulated chip signs the same report differently each time, so evidence differs, and what names it.
        if name.starts_with("reports") || name.starts_with("policies") {
            assert_eq!(bytes, &other[name], "{}", name.display());
        }
    }
}

#[test]
fn two_machines_of_a_directory_take_turns() {
    let Some(server) = Server::start() else {
        return;
    };
    let making = Making {
        store: Some(store(&server, "two")),
        ..Making::default()
    };
    let mut first = World::with(making);
    let twin = tempfile::tempdir().unwrap();
    let desk = Desk::new(first.desk.directory().clone(), store(&server, "two"));
    let key = first.folder.path().join("log.pem");
    let origin = Origin {
        name: "directory.example".to_owned(),
        key: SigningKey::read(&key, &Passphrase::Terminal, development(false)).unwrap(),
    };
    let public = twin.path().join("public");
    let mut second = Publisher::new(Arc::clone(&desk), &public, origin, Cuts::default());
    first.publisher.tick().unwrap();
    second.tick().unwrap();
    // Each takes some, and each publishes.
    let (one, two) = (Enclave::new("one"), Enclave::new("two"));
    first.list(&one).unwrap();
    desk.list(&two.upload(&first).encode()).unwrap();
    for (number, report) in one.reports(6).into_iter().enumerate() {
        let desk = if number % 2 == 0 { &desk } else { &first.desk };
        desk.report(&report).unwrap();
        first.hands.pass(60);
        if number % 3 == 0 {
            second.tick().unwrap();
        } else {
            first.publisher.tick().unwrap();
        }
    }
    second.tick().unwrap();
    first.publisher.tick().unwrap();
    assert_eq!(first.hands.now(), NOW + 360);
    let (mut one, mut two) = (files(&first.public()), files(&public));
    for files in [&mut one, &mut two] {
        // What says when it was written, and what the first alone was given.
        files.retain(|name, _| !name.starts_with("now") && !name.starts_with("policies"));
        files.remove(Path::new("network"));
    }
    assert_eq!(one, two);
    assert!(one.len() > 20, "{}", one.len());
}
