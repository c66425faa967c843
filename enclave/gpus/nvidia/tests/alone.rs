//! The program itself, on whatever machine this is: its walls, its protocol, and what it says where there is no GPU.

use std::{
    fs,
    io::Write,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
};

use chrysalis_wire::{
    frame,
    gpu::{FromGpus, Missing, ToGpus, WORKER},
};
use rustix::process::geteuid;

fn start() -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    let worker = Command::new(env!("CARGO_BIN_EXE_chrysalis-gpu-nvidia"))
        .env_clear()
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

/// Whether this machine lacks the library, as machines that build this usually do.
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

#[test]
fn is_walled_in_before_it_answers() {
    let (mut worker, mut enclave) = start();
    lacks_library(&mut enclave);
    let status = fs::read_to_string(format!("/proc/{}/status", worker.id())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(
        (field("Seccomp:"), field("NoNewPrivs:")),
        ("2".into(), "1".into())
    );
    if geteuid().is_root() {
        assert_eq!(field("Uid:"), WORKER.to_string());
        // CAP_SYS_ADMIN alone, which the driver wants of whoever sets GPUs ready.
        assert_eq!(field("CapPrm:"), "0000000000200000");
        assert_eq!(field("CapInh:"), "0000000000000000");
    }
    drop(enclave);
    worker.wait().unwrap();
}

#[test]
fn says_clearly_by_hand_that_there_is_no_gpu() {
    let said = Command::new(env!("CARGO_BIN_EXE_chrysalis-gpu-nvidia"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains("\nno GPU found: ") || said.contains("\nState("),
        "{said}"
    );
}
