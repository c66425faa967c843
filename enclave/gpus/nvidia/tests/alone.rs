//! The program itself, on any machine: how it is confined, its protocol, and what it says without a GPU.

use std::{
    fs,
    io::Write,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use chrysalis_sandbox::{PARTIAL_WALLS, SeccompAction, answer, any, filter};
use chrysalis_wire::{
    frame,
    gpu::{Answer, FromGpus, Missing, State, ToGpus, WORKER},
};
use rustix::process::geteuid;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chrysalis-gpu-nvidia");

fn start() -> (Child, UnixStream) {
    start_with(&[])
}

/// On any kernel.
fn start_with(environment: &[(&str, &str)]) -> (Child, UnixStream) {
    start_as(&[PARTIAL_WALLS], environment)
}

fn start_as(arguments: &[&str], environment: &[(&str, &str)]) -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    let worker = Command::new(PROGRAM)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the worker starts");
    (worker, ours)
}

fn ask(enclave: &mut UnixStream, question: &ToGpus) -> FromGpus {
    frame::write(enclave, question).expect("the worker listens");
    frame::read(enclave).expect("the worker answers")
}

/// Whether this machine does not have the library, as is usual on machines that build this.
fn lacks_library(enclave: &mut UnixStream) -> bool {
    match ask(enclave, &ToGpus::State) {
        FromGpus::Missing(Missing::Library { why }) => {
            assert!(why.contains("libnvidia-ml.so.1"), "{why}");
            true
        }
        FromGpus::Missing(_) | FromGpus::State(_) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_the_library_that_is_missing_whatever_it_is_asked() {
    let (mut worker, mut enclave) = start();
    if lacks_library(&mut enclave) {
        for question in [ToGpus::Evidence { nonce: [1; 32] }, ToGpus::SetReady] {
            let answer = ask(&mut enclave, &question);
            assert!(
                matches!(answer, FromGpus::Missing(Missing::Library { .. })),
                "{answer:?}"
            );
        }
        let answer = ask(&mut enclave, &ToGpus::SelfTest);
        assert!(matches!(answer, FromGpus::Failed { .. }), "{answer:?}");
    }
    drop(enclave);
    assert!(worker.wait().unwrap().success());
}

#[test]
fn ends_at_a_question_that_is_none() {
    let (mut worker, mut enclave) = start();
    enclave.write_all(b"\x01\0\0\0\xff").unwrap();
    assert_eq!(worker.wait().unwrap().code(), Some(1));
}

/// The first word of a field in the kernel's status of a worker.
fn field(worker: &Child, name: &str) -> String {
    let file = format!("/proc/{}/status", worker.id());
    let status = fs::read_to_string(file).expect("the worker runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.split_whitespace().next());
    value.expect("the kernel has the field").to_owned()
}

#[test]
fn brings_what_nvml_answers_and_gives_up_its_right_with_ready() {
    let folder = tempfile::tempdir().unwrap();
    let library = Path::new(PROGRAM).with_file_name("examples/libfake_nvml.so");
    fs::copy(&library, folder.path().join("libnvidia-ml.so.1"))
        .expect("`cargo test` builds the example before the tests");
    let place = folder.path().to_str().unwrap();
    // Loaded before the worker is confined: after that it cannot read this folder.
    let environment = [
        ("LD_LIBRARY_PATH", place),
        ("LD_PRELOAD", "libnvidia-ml.so.1"),
    ];
    let (mut worker, mut enclave) = start_with(&environment);
    let state = State {
        gpus: 2,
        confidential: true,
        production: true,
        devtools: false,
    };
    assert_eq!(ask(&mut enclave, &ToGpus::State), FromGpus::State(state));
    let answer = |number: u8| Answer {
        report: [&[7; 32][..], &[number]].concat(),
        chain: format!("PEM of GPU {number}").into_bytes(),
    };
    let evidence = ask(&mut enclave, &ToGpus::Evidence { nonce: [7; 32] });
    assert_eq!(evidence, FromGpus::Evidence(vec![answer(1), answer(2)]));
    assert_eq!(ask(&mut enclave, &ToGpus::SetReady), FromGpus::Ready);
    if geteuid().is_root() {
        assert_eq!(field(&worker, "CapPrm:"), "0000000000000000");
    }
    drop(enclave);
    assert!(worker.wait().unwrap().success());
}

#[test]
fn is_walled_in_before_it_answers() {
    let (mut worker, mut enclave) = start();
    lacks_library(&mut enclave);
    let field = |name| field(&worker, name);
    assert_eq!(
        (field("Seccomp:"), field("NoNewPrivs:")),
        ("2".into(), "1".into())
    );
    if geteuid().is_root() {
        assert_eq!(field("Uid:"), WORKER.to_string());
        // CAP_SYS_ADMIN alone, which the driver requires to set GPUs ready.
        assert_eq!(field("CapPrm:"), "0000000000200000");
        assert_eq!(field("CapInh:"), "0000000000000000");
    }
    drop(enclave);
    worker.wait().unwrap();
}

/// Filters are inherited: the worker starts on a kernel that answers like one without Landlock.
#[test]
fn answers_nothing_on_a_kernel_that_does_not_enforce_all_of_landlock() {
    let started = thread::spawn(|| {
        let absent = any(&[libc::SYS_landlock_create_ruleset]);
        filter(absent, answer(libc::EOPNOTSUPP), SeccompAction::Allow).unwrap();
        start_as(&[], &[])
    });
    let (mut worker, mut enclave) = started.join().unwrap();
    let refused = ask(&mut enclave, &ToGpus::State);
    assert!(
        matches!(&refused, FromGpus::Unconfined { why } if why.contains("Landlock")),
        "{refused:?}"
    );
    assert_eq!(worker.wait().unwrap().code(), Some(1));
}

#[test]
fn says_clearly_by_hand_that_there_is_no_gpu() {
    let said = Command::new(PROGRAM).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains("\nno GPU found: ") || said.contains("\nState("),
        "{said}"
    );
}
