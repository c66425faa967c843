//! An engine's secrets: files in memory that it alone reads, of which nothing is left in the room's own processes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
};

use chrysalis_wire::room::{FromRoom, Plan, SecretFile, Walls};

use crate::fixture::{Engine, Room, engine};

const WALLS: [Walls; 2] = [Walls::Native, Walls::Python];

/// A room whose engine plays `arguments` and has these secrets.
fn start(engine: &Engine, walls: Walls, arguments: &[&str], secrets: &[(&str, &[u8])]) -> Room {
    let file = |(name, value): &(&str, &[u8])| SecretFile {
        name: (*name).to_owned(),
        bytes: u32::try_from(value.len()).unwrap(),
    };
    let plan = Plan {
        secrets: secrets.iter().map(file).collect(),
        ..engine.plan(walls, arguments)
    };
    let mut room = engine.start(&plan);
    for (_, value) in secrets {
        room.enclave.write_all(value).unwrap();
    }
    room
}

fn walled(engine: &Engine, walls: Walls, arguments: &[&str], secrets: &[(&str, &[u8])]) -> Room {
    let mut room = start(engine, walls, arguments, secrets);
    assert_eq!(room.answer(), FromRoom::Walled);
    room
}

fn found(room: &Room) -> BTreeMap<String, String> {
    let words = room.words();
    let lines = words.lines().map(|line| line.split_once('\t').unwrap());
    let owned = lines.map(|(name, found)| (name.to_owned(), found.to_owned()));
    owned.collect()
}

#[test]
fn an_engine_reads_its_own_secrets_and_reaches_no_others() {
    let (Some(one), Some(other)) = (engine(), engine()) else {
        return;
    };
    for walls in WALLS {
        let theirs: &[(&str, &[u8])] = &[("theirs", b"their word")];
        let other = walled(&other, walls, &["wait"], theirs);
        let outside = format!("/proc/{}/root/secrets", first_process(&other));
        assert!(fs::read_dir(&outside).is_ok(), "the test would miss them");
        let own: &[(&str, &[u8])] = &[("licence", b"a word"), ("token", b"no\nline")];
        let room = walled(&one, walls, &["secrets", &outside], own);
        let mut found = found(&room);
        let mut must = |what: &str, wanted: &str| {
            assert_eq!(
                found.remove(what).as_deref(),
                Some(wanted),
                "{walls:?}: {what}"
            );
        };
        must("/secrets/licence", r#"("400", true, "a word")"#);
        must("/secrets/token", r#"("400", true, "no\nline")"#);
        must("write", "Err(PermissionDenied)");
        let closed = [
            "mode",
            "remove",
            "new",
            "link",
            "environment",
            "arguments",
            "outside",
        ];
        for what in closed {
            must(what, "false");
        }
        must("processes", "0");
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn they_are_in_memory_and_read_only() {
    let Some(engine) = engine() else { return };
    let room = walled(&engine, Walls::Python, &["wait"], &[("licence", b"word")]);
    let mounts = format!("/proc/{}/mountinfo", first_process(&room));
    let mounts = fs::read_to_string(mounts).unwrap();
    let own: Vec<_> = mounts
        .lines()
        .filter(|it| it.contains(" /secrets "))
        .collect();
    let [line] = own[..] else { panic!("{own:?}") };
    let options = line.split(' ').nth(5).unwrap();
    for wanted in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(options.split(',').any(|it| it == wanted), "{line}");
    }
    assert!(line.contains(" - tmpfs "), "{line}");
}

/// The room's PID 1: the child of the process that the test started.
fn first_process(room: &Room) -> String {
    let id = room.process.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    children.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn an_engine_without_secrets_has_no_folder_of_them() {
    let Some(engine) = engine() else { return };
    let room = walled(&engine, Walls::Native, &["secrets", "/nowhere"], &[]);
    let found = found(&room);
    assert!(
        found.keys().all(|it| !it.starts_with("/secrets")),
        "{found:?}"
    );
    assert_eq!(found["new"], "false");
}

#[test]
fn a_folder_of_secrets_on_the_engines_disk_is_not_taken_for_them() {
    let Some(engine) = engine() else { return };
    fs::create_dir(engine.path("tree/secrets")).unwrap();
    fs::write(engine.path("tree/secrets/licence"), "the disk's").unwrap();
    let room = walled(&engine, Walls::Native, &["secrets", "/nowhere"], &[]);
    assert!(found(&room).keys().all(|it| !it.starts_with("/secrets")));
}

#[test]
fn all_that_there_can_be_fit() {
    let Some(engine) = engine() else { return };
    let value = vec![b'v'; 64 << 10];
    let names: Vec<_> = (0..16).map(|number| format!("s{number}")).collect();
    let secrets: Vec<_> = names
        .iter()
        .map(|it| (it.as_str(), value.as_slice()))
        .collect();
    let room = walled(&engine, Walls::Native, &["secrets", "/nowhere"], &secrets);
    let found = found(&room);
    let own = found
        .iter()
        .filter(|(name, _)| name.starts_with("/secrets"));
    assert!(own.clone().all(|(_, it)| it.len() > 64 << 10));
    assert_eq!(own.count(), 16);
}

#[test]
fn secrets_that_do_not_come_whole_start_nothing() {
    let Some(engine) = engine() else { return };
    let plan = Plan {
        secrets: vec![SecretFile {
            name: "licence".into(),
            bytes: 10,
        }],
        ..engine.plan(Walls::Native, &["wait"])
    };
    let mut room = engine.start(&plan);
    room.enclave.write_all(b"half").unwrap();
    room.enclave.shutdown(std::net::Shutdown::Write).unwrap();
    let FromRoom::NotStarted { why } = room.answer() else {
        panic!("started")
    };
    assert!(why.starts_with("the secrets cannot be read"), "{why}");
}

/// The engine here never opens it, so whoever has it got it on its way.
#[test]
fn no_process_of_a_room_keeps_a_secret_on_the_way() {
    let Some(engine) = engine() else { return };
    let secret = b"a secret that nothing else here says: 4f1c";
    for walls in WALLS {
        let room = walled(&engine, walls, &["wait"], &[("licence", secret)]);
        let first = first_process(&room);
        let place = format!("/proc/{first}/root/secrets/licence");
        assert_eq!(fs::read(place).unwrap(), secret, "the engine has it");
        for process in [room.process.id().to_string(), first] {
            let (read, found) = search(&process, secret);
            assert!(read > 0, "the test would miss it");
            assert_eq!(found, 0, "{walls:?}: process {process}");
        }
    }
}

/// How many bytes that a process may write were read, and how often they have this text.
fn search(process: &str, text: &[u8]) -> (usize, usize) {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let (mut read, mut found) = (0, 0);
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [from, to] = [from, to].map(|it| u64::from_str_radix(it, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            read += bytes.len();
            found += bytes.windows(text.len()).filter(|it| *it == text).count();
        }
    }
    (read, found)
}
