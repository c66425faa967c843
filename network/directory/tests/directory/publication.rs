//! What it publishes: files that anyone can copy and check.

use std::process::Command;

use chrysalis_attestation::Time;
use chrysalis_directory::check::{Checked, Folder, check};
use chrysalis_network::{ClassFile, Delta, Now};

use crate::world::{Enclave, WEIGHTS, World};

fn checked(world: &World, folder: &std::path::Path) -> Checked {
    check(&Folder::at(folder), &world.signers, Time(world.hands.now()))
        .unwrap()
        .unwrap()
}

#[test]
fn what_was_taken_is_in_files_that_a_copy_of_the_folder_proves() {
    let mut world = World::new();
    world.publisher.tick().unwrap();
    let (one, two) = (Enclave::new("one"), Enclave::new("two"));
    world.list(&one).unwrap();
    for report in one.reports(3) {
        world.desk.report(&report).unwrap();
    }
    world.hands.pass(60);
    world.publisher.tick().unwrap();
    world.list(&two).unwrap();
    world.hands.pass(60);
    world.publisher.tick().unwrap();

    let class = chrysalis_attestation::encoding::digest::Hex(WEIGHTS);
    let now = Now::decode(&world.read(&format!("now/{class}"))).unwrap();
    assert_eq!((now.epoch, now.since, now.entries.len()), (2, 0, 1));
    let first = ClassFile::decode(&world.read(&format!("listings/{class}/full-0"))).unwrap();
    assert!(first.listings.is_empty());
    let mut file = first;
    for epoch in 1..=2 {
        let delta = world.read(&format!("listings/{class}/delta-{epoch}"));
        file.apply(Delta::decode(&delta).unwrap()).unwrap();
        let whole = world.read(&format!("listings/{class}/full-{epoch}"));
        assert_eq!(file, ClassFile::decode(&whole).unwrap());
    }
    assert_eq!(file.listings.len(), 2);

    let mirror = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .arg(world.public())
        .arg(mirror.path().join("public"))
        .status();
    assert!(copied.unwrap().success());
    let found = checked(&world, &mirror.path().join("public"));
    assert_eq!(found.faults, []);
    // Two classes at first, then two epochs of one and a minute of reports.
    assert_eq!(
        (
            found.entries,
            found.classes,
            found.listings,
            found.reports,
            found.evidence
        ),
        (5, 4, 2, 3, 2)
    );
}
