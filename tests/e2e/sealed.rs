//! A sealed model whose engine has a secret, with its owner's real key server, in an enclave that is a plain process.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use chrysalis_test_support::skip;
use chrysalis_tests::{
    machine::{Machine, Plan, honest_policy, text},
    memory::Memory,
    sealed::{SECRET, Scene, VALUE},
};

/// A key that is taken back is for the VM and the enclave's own tests.
const EPOCH: u32 = 600;
/// The shortest that there is.
const SHORT_EPOCH: u32 = 60;
/// Two epochs, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(6);
/// The first user of a room.
const FIRST_USER: u32 = 20_000;

#[test]
fn a_model_is_served_with_its_owners_key() {
    let scene = Scene::new(EPOCH);
    let server = scene.serve();
    let machine = Machine::boot(&scene.plan(Plan::process()));
    let said = server.said();
    assert!(
        said.contains(&format!(
            "given (simulated)  {}, licence of smollm2-135m-instruct",
            scene.root
        )),
        "{said}"
    );
    let answered = scene.chat(&machine.url());
    assert!(answered.status.success(), "{}", text(&answered.stderr));
}

fn fails(scene: &Scene, code: &str, says: &str) {
    let (status, log) = Machine::fail(&scene.plan(Plan::process()));
    assert!(!status.success(), "{log}");
    for wanted in [code, says, "hint:"] {
        assert!(log.contains(wanted), "{wanted}: {log}");
    }
}

#[test]
fn without_its_owners_consent_nothing_is_served() {
    let scene = Scene::new(EPOCH);
    fails(&scene, "keys_unreachable", "certificate_sha256");
    // Another configuration than the owner trusts: that of the open model.
    scene.owner_wants(&honest_policy());
    let server = scene.serve();
    fails(&scene, "keys_refused", "configuration_unknown");
    let said = server.said();
    assert!(said.contains("refused  configuration_unknown"), "{said}");
    assert!(!said.contains("given"), "{said}");
}

/// The machine's processes: the enclave, and those of rooms with their users.
struct Processes {
    enclave: u32,
    of_rooms: Vec<(u32, u32)>,
}

impl Processes {
    fn of(machine: &Machine) -> Self {
        let (mut enclave, mut of_rooms) = (None, Vec::new());
        let mut left = vec![machine.pid()];
        while let Some(process) = left.pop() {
            let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}"));
            let children = read(&format!("task/{process}/children")).unwrap_or_default();
            left.extend(
                children
                    .split_whitespace()
                    .filter_map(|it| it.parse::<u32>().ok()),
            );
            if read("comm").is_ok_and(|name| "chrysalis-enclave".starts_with(name.trim())) {
                enclave = Some(process);
            }
            let user = user(process).filter(|user| *user >= FIRST_USER);
            of_rooms.extend(user.map(|user| (process, user)));
        }
        Self {
            enclave: enclave.expect("an enclave"),
            of_rooms,
        }
    }

    /// What the engine reads; `None` where no process has such a file.
    fn secret(&self) -> Option<(String, u32, u32)> {
        self.of_rooms.iter().find_map(|(process, user)| {
            let path = format!("/proc/{process}/root/secrets/{SECRET}");
            let file = fs::metadata(&path).ok()?;
            assert_eq!(file.uid(), *user);
            Some((fs::read_to_string(path).ok()?, file.mode() & 0o7777, *user))
        })
    }
}

fn user(process: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|it| it.starts_with("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// How often the memory that a process may write has this text.
fn kept(process: u32, text: &str) -> usize {
    Memory::of(process).map_or(0, |memory| memory.count(text.as_bytes()))
}

/// Whether a file below a folder has this text.
fn has(folder: &Path, text: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|it| it.path()).any(|path| {
        if path.is_dir() {
            return has(&path, text);
        }
        path.is_file() && fs::read(&path).is_ok_and(|it| contains(&it, text))
    })
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|it| it == text.as_bytes())
}

fn until(what: &str, server: &chrysalis_tests::sealed::Server, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}:\n{}", server.said());
        sleep(Duration::from_millis(500));
    }
}

#[test]
fn an_engine_has_its_secret_and_nothing_else_does() {
    if user(std::process::id()) != Some(0) {
        return skip("only root sees into rooms");
    }
    let scene = Scene::new(SHORT_EPOCH);
    let server = scene.serve();
    let machine = Machine::boot(&scene.plan(Plan::process()));
    let processes = Processes::of(&machine);
    let (value, mode, user) = processes.secret().expect("a secret");
    assert_eq!((value.as_str(), mode), (VALUE, 0o400));
    assert!(kept(processes.enclave, VALUE) > 0, "the test would miss it");
    for (process, its) in &processes.of_rooms {
        assert_eq!(*its, user);
        assert_eq!(kept(*process, VALUE), 0, "memory of {process}");
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
            assert!(!contains(&bytes, VALUE), "{file} of {process}");
        }
    }
    assert!(!has(machine.state(), VALUE), "a file of the host's");

    // One that has changed is the next epoch's.
    let other = VALUE.replace("93d1", "c07e");
    scene.owner_adds(&other, &["--replace"]);
    until("a changed secret is given", &server, || {
        let given = Processes::of(&machine).secret();
        given.is_some_and(|(value, ..)| value == other)
    });
    let answered = scene.chat(&machine.url());
    assert!(answered.status.success(), "{}", text(&answered.stderr));
    until("the old one is gone", &server, || {
        kept(processes.enclave, VALUE) == 0
    });

    scene.owner_takes_the_secret();
    until("the model is withdrawn", &server, || {
        let why = text(&scene.chat(&machine.url()).stderr);
        ["model_withdrawn", "model_missing"]
            .iter()
            .any(|it| why.contains(it))
    });
    let said = server.said();
    assert!(
        said.contains("refused  keys_unknown: there is no secret licence"),
        "{said}"
    );
    until("nothing is left of it", &server, || {
        let now = Processes::of(&machine);
        now.of_rooms.is_empty() && kept(now.enclave, &other) == 0
    });
}

#[test]
fn a_secret_for_another_engine_is_not_given() {
    let scene = Scene::new(EPOCH);
    scene.owner_means_another_engine();
    let _server = scene.serve();
    fails(&scene, "keys_refused", "keys_not_for_it");
}
