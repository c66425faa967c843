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

#[test]
fn a_program_that_starts_anew_makes_the_same_files() {
    let mut world = World::new();
    world.publisher.tick().unwrap();
    let one = Enclave::new("one");
    world.list(&one).unwrap();
    world.hands.pass(60);
    world.publisher.tick().unwrap();
    let before = world.read("checkpoint");
    let entry = world.read("entries/000002");
    std::fs::remove_dir_all(world.public()).unwrap();
    let mut world = world.restarted();
    world.publisher.tick().unwrap();
    assert_eq!(world.read("checkpoint"), before);
    assert_eq!(world.read("entries/000002"), entry);
    assert_eq!(checked(&world, &world.public()).faults, []);
    // And goes on where it ended.
    for report in one.reports(2) {
        world.desk.report(&report).unwrap();
    }
    world.hands.pass(60);
    world.publisher.tick().unwrap();
    let found = checked(&world, &world.public());
    assert_eq!((found.faults, found.entries), (Vec::new(), 4));
}

#[test]
fn an_entry_is_what_sha256sum_prints() {
    let mut world = World::new();
    world.list(&Enclave::new("one")).unwrap();
    world.publisher.tick().unwrap();
    let checked = Command::new("sh")
        .args(["-c", "cat entries/* | sha256sum --check --strict"])
        .current_dir(world.public())
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_and_loses_nothing() {
    let mut world = World::new();
    world.publisher.tick().unwrap();
    let one = Enclave::new("one");
    world.list(&one).unwrap();
    for report in one.reports(2) {
        world.desk.report(&report).unwrap();
    }
    world.hands.pass(60);
    let in_the_way = world.public().join("reports");
    std::fs::write(&in_the_way, "no folder").unwrap();
    let error = world.publisher.tick().unwrap_err().to_string();
    assert!(error.contains("cannot write"), "{error}");
    std::fs::remove_file(&in_the_way).unwrap();
    world.publisher.tick().unwrap();
    let found = checked(&world, &world.public());
    assert_eq!((found.faults, found.reports), (Vec::new(), 2));
}

#[test]
fn the_auditor_names_what_is_changed_added_or_withheld() {
    let mut world = World::new();
    world.publisher.tick().unwrap();
    let one = Enclave::new("one");
    world.list(&one).unwrap();
    for report in one.reports(2) {
        world.desk.report(&report).unwrap();
    }
    world.hands.pass(60);
    world.publisher.tick().unwrap();
    let minute = crate::world::NOW / 60;
    let (reports, added) = (
        format!("reports/{minute}"),
        format!("reports/{}", minute + 1),
    );
    let public = world.public();
    let faults = |world: &World| {
        let found = checked(world, &public).faults;
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let honest = world.read(&reports);
    let mut changed = honest.clone();
    changed[40] ^= 1;
    std::fs::write(public.join(&reports), changed).unwrap();
    std::fs::write(public.join(&added), &honest).unwrap();
    assert_eq!(
        faults(&world),
        [
            format!("{reports}: another file than the one in the log"),
            format!("{added}: it is not in the log")
        ]
    );
    std::fs::remove_file(public.join(&added)).unwrap();
    std::fs::remove_file(public.join(&reports)).unwrap();
    assert_eq!(
        faults(&world),
        [format!("{reports}: it is in the log, and withheld")]
    );
    std::fs::write(public.join(&reports), &honest).unwrap();
    std::fs::write(public.join("entries/000003"), "other\n").unwrap();
    assert_eq!(
        faults(&world),
        ["checkpoint: the log's entries are others than it signed"]
    );
}

#[test]
fn the_price_now_is_that_of_the_last_report() {
    let mut world = World::new();
    let (one, two) = (Enclave::new("one"), Enclave::new("two"));
    for enclave in [&one, &two] {
        world.list(enclave).unwrap();
        for report in enclave.reports(3) {
            world.desk.report(&report).unwrap();
        }
    }
    // A second operator who lists an enclave adds nothing to the index.
    let mut again = one.clone();
    again.operator = "another".to_owned();
    world.list(&again).unwrap();
    world.publisher.tick().unwrap();
    let class = chrysalis_attestation::encoding::digest::Hex(WEIGHTS);
    let now = Now::decode(&world.read(&format!("now/{class}"))).unwrap();
    assert_eq!(now.entries.len(), 3);
    for entry in now.entries.values() {
        assert_eq!((entry.price, entry.load), (now.index, 750));
    }
    assert!(now.index >= 60_000_000, "{}", now.index);
}

#[test]
fn what_is_new_does_not_wait_for_the_next_epoch_and_what_is_renewed_does() {
    let mut world = World::new();
    world.publisher.tick().unwrap();
    let class = chrysalis_attestation::encoding::digest::Hex(WEIGHTS);
    let epoch = |world: &mut World| {
        world.publisher.tick().unwrap();
        let now = Now::decode(&world.read(&format!("now/{class}"))).unwrap();
        now.epoch
    };
    let mut one = Enclave::new("one");
    world.list(&one).unwrap();
    world.hands.pass(2);
    assert_eq!(epoch(&mut world), 1);
    one.seq = 2;
    world.list(&one).unwrap();
    world.hands.pass(30);
    assert_eq!(epoch(&mut world), 1);
    world.hands.pass(600);
    assert_eq!(epoch(&mut world), 2);
    // It ends by itself, and is gone.
    world.hands.pass(1800);
    assert_eq!(epoch(&mut world), 3);
    let file = ClassFile::decode(&world.read(&format!("listings/{class}/full-3"))).unwrap();
    assert!(file.listings.is_empty());
}
