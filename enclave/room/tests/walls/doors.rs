//! Every door that the hostile engine tries (examples/hostile/doors.rs), and what it finds there.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    process::Command,
};

use chrysalis_wire::room::{FromRoom, Plan, Walls};

use crate::fixture::{Engine, Room, engine, processes, room, room_with_cgroups};

/// Calls that do not exist within any walls.
const NO_CALL: &[&str] = &[
    "device in /tmp",
    "vsock",
    "devices' messages",
    "packet",
    "alg",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "user namespace",
    "mount namespace",
    "setns",
    "clone of a namespace",
    "clone3",
    "mount",
    "umount",
    "fsopen",
    "open_tree",
    "pivot_root",
    "chroot",
    "open_by_handle_at",
    "sethostname",
    "io_uring",
    "userfaultfd",
    "bpf",
    "perf_event_open",
    "keyctl",
    "add_key",
    "request_key",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "syslog",
    "ports",
    "clock",
    "swap",
    "setuid",
    "setgid",
    "setgroups",
    "capset",
    "real time",
];
/// What is not there within any walls.
const NOT_THERE: &[&str] = &[
    "file outside",
    "passwords",
    "memory of the machine",
    "other disks",
    "cgroups",
];
/// What is there and closed within any walls: name, native, Python.
const CLOSED: &[(&str, &str, &str)] = &[
    (
        "memory of the first process",
        "NotFound",
        "PermissionDenied",
    ),
    (
        "environment of the first process",
        "NotFound",
        "PermissionDenied",
    ),
    ("core pattern", "NotFound", "PermissionDenied"),
    (
        "new file in the root",
        "ReadOnlyFilesystem",
        "ReadOnlyFilesystem",
    ),
    ("new folder in the root", "ENOSYS", "ReadOnlyFilesystem"),
    (
        "new file on the disk",
        "ReadOnlyFilesystem",
        "ReadOnlyFilesystem",
    ),
    (
        "change of the program",
        "PermissionDenied",
        "PermissionDenied",
    ),
    (
        "removal of the program",
        "ReadOnlyFilesystem",
        "ReadOnlyFilesystem",
    ),
    (
        "change of the model",
        "PermissionDenied",
        "PermissionDenied",
    ),
    ("raw", "ENOSYS", "PermissionDenied"),
    ("port outside", "ENOSYS", "ConnectionRefused"),
    ("network", "ENOSYS", "NetworkUnreachable"),
    ("datagram", "ENOSYS", "NetworkUnreachable"),
    ("socket outside", "ENOSYS", "ConnectionRefused"),
    ("signal outside", "ENOSYS", "no such process"),
    (
        "signal to a thread outside",
        "no such process",
        "no such process",
    ),
    ("handle of a process outside", "ENOSYS", "no such process"),
    ("core dumps", "PermissionDenied", "PermissionDenied"),
    ("more processes", "PermissionDenied", "PermissionDenied"),
    ("nice", "ENOSYS", "PermissionDenied"),
    ("change of the network", "ENOSYS", "PermissionDenied"),
    // What an interpreter needs.
    ("addresses of the network", "ENOSYS", "open"),
    ("fork", "ENOSYS", "open"),
    ("listening", "ENOSYS", "open"),
    ("program in /tmp", "PermissionDenied", "open"),
];
/// Closed by Landlock alone: the folder for the socket is writable.
const LANDLOCK: &[(&str, &str)] = &[("file in /run", "PermissionDenied")];
/// What the engine sees, rather than what it tries: name, native, Python.
const FACTS: &[(&str, &str, &str)] = &[
    ("descriptors", "0 1 2", "0 1 2"),
    (
        "root",
        "bin engine.toml lib lib64 model run tmp usr",
        "bin dev engine.toml lib lib64 model proc run sys tmp usr",
    ),
    ("devices", "", "null shm urandom zero"),
    ("processes", "", "1 2"),
    ("environment", "GIVEN=yes", "GIVEN=yes HOME=/tmp/home"),
    ("hostname", "", "room"),
];

/// What the engine found, tried against things outside that are really there.
struct Tried(BTreeMap<String, String>);

fn tried(engine: &Engine, walls: Walls, start: impl FnOnce(&Plan) -> Room) -> Tried {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("chrysalis-room-{}-{walls:?}", engine.path(""));
    let _socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let (file, process) = (engine.path("model"), std::process::id().to_string());
    let number = port.local_addr().unwrap().port().to_string();
    let plan = engine.plan(walls, &["doors", &file, &process, &number, &name]);
    let mut room = start(&plan);
    assert_eq!(room.answer(), FromRoom::Walled);
    let words = room.words();
    let lines = words.lines().map(|line| line.split_once('\t').unwrap());
    Tried(
        lines
            .map(|(name, result)| (name.to_owned(), result.to_owned()))
            .collect(),
    )
}

impl Tried {
    fn must(&mut self, name: &str, wanted: &str) {
        let found = self.0.remove(name);
        assert_eq!(found.as_deref(), Some(wanted), "{name}");
    }

    /// All that there is to check, and that nothing else was tried.
    fn check(mut self, walls: Walls, landlock: bool) {
        for name in NO_CALL {
            self.must(name, "ENOSYS");
        }
        for name in NOT_THERE {
            self.must(name, "NotFound");
        }
        for (name, native, python) in CLOSED.iter().chain(FACTS) {
            self.must(
                name,
                if walls == Walls::Native {
                    native
                } else {
                    python
                },
            );
        }
        for (name, wanted) in LANDLOCK {
            self.must(name, if landlock { wanted } else { "open" });
        }
        assert!(self.0.is_empty(), "{:?}", self.0);
    }
}

/// Whether this machine's kernel has the Landlock that an image's has.
fn has_landlock(engine: &Engine) -> bool {
    let plan = Plan {
        partial: false,
        ..engine.plan(Walls::Native, &["end"])
    };
    engine.start_by(&mut room_with_cgroups(), &plan).answer() == FromRoom::Walled
}

#[test]
fn no_door_opens_to_a_compiled_engine() {
    let Some(engine) = engine() else { return };
    let landlock = has_landlock(&engine);
    tried(&engine, Walls::Native, |plan| engine.start(plan)).check(Walls::Native, landlock);
}

#[test]
fn no_door_that_leads_out_opens_to_an_interpreter() {
    let Some(engine) = engine() else { return };
    let landlock = has_landlock(&engine);
    tried(&engine, Walls::Python, |plan| engine.start(plan)).check(Walls::Python, landlock);
}

#[test]
fn mounts_and_calls_alone_keep_every_door_shut_but_one() {
    let Some(engine) = engine() else { return };
    let start = |plan: &Plan| {
        let call = libc::SYS_landlock_create_ruleset;
        engine.start_without(call, libc::EOPNOTSUPP, &mut room(), plan)
    };
    tried(&engine, Walls::Native, start).check(Walls::Native, false);
}

/// As in an initrd, whose root cannot be exchanged.
#[test]
fn a_root_that_cannot_be_exchanged_is_covered() {
    let Some(engine) = engine() else { return };
    let landlock = has_landlock(&engine);
    for walls in [Walls::Native, Walls::Python] {
        let start = |plan: &Plan| {
            let call = libc::SYS_pivot_root;
            engine.start_without(call, libc::EINVAL, &mut room(), plan)
        };
        tried(&engine, walls, start).check(walls, landlock);
    }
}

#[test]
fn what_the_room_mounts_is_not_seen_outside() {
    let Some(engine) = engine() else { return };
    let mut room = engine.walled(&engine.plan(Walls::Python, &["wait"]));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&engine.path("")), "{mounts}");
    assert!(room.process.try_wait().unwrap().is_none());
}

/// The room's own processes are as bare as the engine.
#[test]
fn every_process_of_a_room_is_without_rights() {
    let Some(engine) = engine() else { return };
    for walls in [Walls::Native, Walls::Python] {
        let plan = engine.plan(walls, &["wait"]);
        let _room = engine.walled(&plan);
        let processes = processes(plan.user);
        assert_eq!(processes.len(), 3, "{processes:?}");
        let user = plan.user;
        let ids = format!("{user}\t{user}\t{user}\t{user}");
        for process in processes {
            for (field, wanted) in [
                ("Uid:", ids.as_str()),
                ("Gid:", &ids),
                ("Groups:", ""),
                ("CapInh:", "0000000000000000"),
                ("CapPrm:", "0000000000000000"),
                ("CapEff:", "0000000000000000"),
                ("CapBnd:", "0000000000000000"),
                ("CapAmb:", "0000000000000000"),
                ("NoNewPrivs:", "1"),
                ("Seccomp:", "2"),
            ] {
                let line = process.lines().find(|line| line.starts_with(field));
                let found = line.unwrap().trim_start_matches(field).trim();
                assert_eq!(found, wanted, "{field} of {process}");
            }
        }
    }
}

#[test]
fn it_says_what_it_is_and_is_not_started_by_hand() {
    let help = Command::new(room().get_program())
        .arg("--help")
        .output()
        .unwrap();
    assert!(help.status.success());
    assert!(String::from_utf8(help.stdout).unwrap().contains("hint: "));
    let alone = room().stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(alone.status.code(), Some(2));
    assert!(
        String::from_utf8(alone.stderr)
            .unwrap()
            .starts_with("standard input is not a socket")
    );
}
