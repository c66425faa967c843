//! Lies that the enclave as a process can tell: the same programs and the same simulated processor, no VM. Each ends
//! in its own named rejection, and not one byte of prompt leaves the client.

use std::{fs, path::PathBuf, sync::OnceLock, thread};

use chrysalis_tests::{
    lies::{Recorder, send_chat},
    machine::{Machine, Plan, chrysalis, honest_policy, text},
    paths,
    proxy::Proxy,
    relay::TerminatingRelay,
};

const SECRET: &str = "the prompt that must not leave";

fn machine() -> &'static Machine {
    static MACHINE: OnceLock<Machine> = OnceLock::new();
    MACHINE.get_or_init(|| Machine::boot(&Plan::process()))
}

/// Chats under `policy`: the exit code, and all that was printed.
fn chat(url: &str, policy: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policy.toml");
    fs::write(&file, policy).expect("a policy");
    let prompt = SECRET.repeat(200);
    let output = chrysalis(&[
        "chat",
        url,
        &prompt,
        "--max-tokens",
        "4",
        "--policy",
        &file.to_string_lossy(),
    ]);
    (
        output.status.code(),
        text(&output.stdout) + &text(&output.stderr),
    )
}

/// The client refuses `machine` with `code` and a hint, and too few bytes passed to hold the prompt.
fn refused(machine: &Machine, policy: &str, code: &str) {
    let recorder = Recorder::before(machine.address());
    let (status, printed) = chat(&recorder.url(), policy);
    assert_eq!(status, Some(1), "{printed}");
    assert!(
        printed.contains(code) && printed.contains("hint:"),
        "wanted {code}:\n{printed}"
    );
    assert!(!printed.contains(SECRET), "{printed}");
    recorder.assert_sent_no_prompt();
}

#[test]
fn the_honest_machine_is_trusted() {
    let (status, printed) = chat(&machine().url(), &honest_policy());
    assert_eq!(status, Some(0), "{printed}");
}

#[test]
fn a_debug_guest_is_refused() {
    let machine = Machine::boot(&Plan::process().with("--guest-policy", "0xb0000"));
    refused(&machine, &honest_policy(), "debug_allowed");
}

#[test]
fn firmware_under_the_floor_is_refused() {
    let policy = honest_policy();
    let floor = policy
        .lines()
        .find(|line| line.starts_with("minimum_tcb.genoa"))
        .expect("a floor");
    let high = policy.replace(
        floor,
        "minimum_tcb.genoa = { bootloader = 255, tee = 0, snp = 0, microcode = 0 }",
    );
    refused(machine(), &high, "tcb_below_floor");
}

#[test]
fn a_simulated_root_is_refused_by_a_policy_that_names_none() {
    let policy = honest_policy();
    let strict = policy
        .split("[simulation]")
        .next()
        .expect("the part before")
        .to_owned();
    refused(machine(), &strict, "simulated_root_refused");
}

#[test]
fn another_image_is_refused() {
    let policy = honest_policy().replace(machine().launch_digest(), &"ab".repeat(48));
    refused(machine(), &policy, "launch_digest_unknown");
}

#[test]
fn another_configuration_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let configuration = folder.path().join("configuration.toml");
    let honest = fs::read_to_string(paths::configuration()).expect("a configuration");
    fs::write(&configuration, format!("{honest}# changed\n")).expect("a changed configuration");
    let machine = Machine::boot(&Plan {
        configuration,
        ..Plan::process()
    });
    refused(&machine, &honest_policy(), "configuration_unknown");
}

#[test]
fn corrupt_weights_stop_the_boot() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Plan::process().with_changed_model(folder.path(), 1000);
    let (status, log) = Machine::fail(&plan);
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("disk_wrong") && log.contains("hint:"), "{log}");
}

#[test]
fn a_relay_that_ends_tls_itself_is_refused() {
    let relay = TerminatingRelay::before(machine().address());
    let (status, printed) = chat(&relay.url(), &honest_policy());
    assert_eq!(status, Some(1), "{printed}");
    assert!(
        printed.contains("binding_mismatch") && printed.contains("hint:"),
        "{printed}"
    );
    assert!(!relay.seen().contains(SECRET), "the relay saw the prompt");
    assert!(
        relay.seen().contains("/v1/attestation"),
        "the relay saw nothing at all"
    );
}

#[test]
fn evidence_of_an_earlier_conversation_is_refused() {
    let relay = TerminatingRelay::replaying(machine().address());
    let (status, printed) = chat(&relay.url(), &honest_policy());
    assert_eq!(status, Some(1), "{printed}");
    assert!(printed.contains("binding_mismatch"), "{printed}");
    assert!(!relay.seen().contains(SECRET), "the relay saw the prompt");
}

#[test]
fn evidence_of_another_enclave_is_refused() {
    let other = Machine::boot(&Plan::process());
    let relay = TerminatingRelay::before(other.address());
    let (status, printed) = chat(&relay.url(), &honest_policy());
    assert_eq!(status, Some(1), "{printed}");
    assert!(printed.contains("binding_mismatch"), "{printed}");
}

#[test]
fn a_host_that_stalls_is_named() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}", silent.local_addr().expect("an address"));
    let keeper = thread::spawn(move || silent.accept().map(|(stream, _)| stream));
    let (status, printed) = chat(&url, &honest_policy());
    assert_eq!(status, Some(2), "{printed}");
    assert!(
        printed.contains("stalled") && printed.contains("hint:"),
        "{printed}"
    );
    drop(keeper);
}

#[test]
fn a_connection_cut_in_mid_stream_leaves_an_answer_marked_incomplete() {
    let recorder = Recorder::before(machine().address());
    let policy = PathBuf::from(machine().state()).join("cut-policy.toml");
    fs::write(&policy, honest_policy()).expect("a policy");
    let proxy = Proxy::start(&recorder.url(), &policy);
    let mut stream = send_chat(
        proxy.address(),
        "Count from one to five hundred in words.",
        2000,
    );
    stream.wait_for("\"content\":");
    recorder.cut();
    let rest = stream.to_end();
    assert!(!rest.contains("[DONE]"), "{rest}");
    assert!(rest.contains("incomplete_answer"), "{rest}");
}
