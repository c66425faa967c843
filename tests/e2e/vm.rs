//! The real thing: the released image in QEMU, verified and used by real clients. One VM serves all these tests.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

use chrysalis_tests::{
    machine::{Machine, Plan, chrysalis, run, spawn_kept, text},
    paths,
    proxy::Proxy,
};

fn vm() -> &'static Machine {
    static VM: OnceLock<Machine> = OnceLock::new();
    VM.get_or_init(|| Machine::boot(&Plan::vm()))
}

fn proxy() -> &'static Proxy {
    static PROXY: OnceLock<Proxy> = OnceLock::new();
    PROXY.get_or_init(|| Proxy::start(&vm().url(), &vm().policy()))
}

#[test]
fn the_report_holds_the_launch_digest_that_the_files_give() {
    let image = paths::image();
    let computed = chrysalis(&[
        "measure",
        &image.to_string_lossy(),
        "--platform",
        "snp",
        "--vcpus",
        "2",
        "--simulated",
    ]);
    let computed = text(&computed.stdout);
    let shown = text(&chrysalis(&["show", &vm().url()]).stdout);
    assert!(shown.contains(vm().launch_digest()), "{shown}");
    assert!(computed.contains(vm().launch_digest()), "{computed}");
}

#[test]
fn a_relying_party_trusts_it_and_is_told_that_it_is_simulated() {
    let output = chrysalis(&[
        "verify",
        &vm().url(),
        "--policy",
        &vm().policy().to_string_lossy(),
    ]);
    let verdict = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{verdict}{}",
        text(&output.stderr)
    );
    assert!(verdict.contains("simulated"), "{verdict}");
}

#[test]
fn the_verdict_is_also_json() {
    let policy = vm().policy();
    let output = chrysalis(&[
        "verify",
        &vm().url(),
        "--policy",
        &policy.to_string_lossy(),
        "--format",
        "json",
    ]);
    let verdict: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(verdict["verdict"], "trusted");
    assert_eq!(verdict["simulated"], true);
    assert_eq!(verdict["claims"]["measurement"], vm().launch_digest());
    assert!(
        verdict["checks"]
            .as_array()
            .is_some_and(|checks| checks.len() > 20),
        "{verdict}"
    );
}

#[test]
fn a_saved_session_verifies_again_without_the_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("session.cbor");
    let saved = saved.to_string_lossy();
    let policy = vm().policy();
    let policy = policy.to_string_lossy();
    let first = chrysalis(&["verify", &vm().url(), "--policy", &policy, "--save", &saved]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let again = chrysalis(&["verify", &saved, "--policy", &policy]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stdout));
}

/// A question in a few tokens, since an emulated one takes a while: a system's message keeps the template from adding its own.
fn body(question: &str, more: &str) -> String {
    format!(
        r#"{{"model":"smollm2-135m-instruct",{more},"messages":[{{"role":"system","content":"Be brief."}},{{"role":"user","content":"{question}"}}]}}"#
    )
}

/// curl, to ask it.
fn asking(body: &str) -> Command {
    let url = format!("http://{}/v1/chat/completions", proxy().address());
    let json = "content-type: application/json";
    let mut curl = Command::new("curl");
    curl.args(["-sSN", "--max-time", "900", &url, "-H", json, "-d", body]);
    curl
}

fn answer(body: &str) -> String {
    let output = asking(body).output().expect("curl");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn curl_streams_through_the_proxy_and_sees_done() {
    let stream = answer(&body("Hi", r#""stream":true,"max_tokens":4"#));
    assert!(stream.contains("\"role\":\"assistant\""), "{stream}");
    // Comments fill it up.
    let last = stream.lines().rfind(|line| line.starts_with("data: "));
    assert_eq!(last, Some("data: [DONE]"), "{stream}");
}

#[test]
fn the_openai_sdk_chats_plainly_and_streaming() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/openai_sdk.py");
    let python = paths::python();
    if !python.exists() {
        chrysalis_test_support::skip("no Python environment: make test makes one");
        return;
    }
    let base = format!("http://{}/v1", proxy().address());
    let said = run(
        &python.to_string_lossy(),
        &[&script.to_string_lossy(), &base],
    );
    assert!(
        ["plain ok", "stream ok", "odds ok"]
            .iter()
            .all(|step| said.contains(step)),
        "{said}"
    );
}

#[test]
fn the_command_line_chats() {
    let policy = vm().policy();
    let output = chrysalis(&[
        "chat",
        &vm().url(),
        "What is the capital of France?",
        "--system",
        "Be brief.",
        "--policy",
        &policy.to_string_lossy(),
        "--max-tokens",
        "8",
        "--temperature",
        "0",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("Paris"),
        "{}",
        text(&output.stdout)
    );
}

/// The prompt carries a canary, the answer repeats none of the prompt's secrets by itself, so both are searched for.
#[test]
fn no_prompt_or_answer_is_anywhere_the_host_can_read() {
    let canary = "zanzibar-quokka-7719";
    let before = run("sha256sum", &[&paths::model_disk().to_string_lossy()]);
    let body = body(
        &format!("Remember the word {canary}. Say it back."),
        r#""max_tokens":12,"temperature":0"#,
    );
    let answer = answer(&body);
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let said = answer["choices"][0]["message"]["content"]
        .as_str()
        .expect("an answer")
        .trim();
    assert!(
        said.len() >= 8,
        "the answer is too short to search for: {said}"
    );

    let metrics = run(
        "curl",
        &["-sS", &format!("http://{}/metrics", vm().metrics())],
    );
    let mut places = vec![("metrics".to_owned(), metrics.into_bytes())];
    files_below(vm().state(), &mut places);
    assert!(
        places.iter().any(|(name, _)| name.ends_with("console.log")),
        "the console is kept in a file"
    );
    for (name, bytes) in &places {
        for secret in [canary, said] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{name} holds {secret:?}");
        }
    }
    assert_eq!(
        run("sha256sum", &[&paths::model_disk().to_string_lossy()]),
        before,
        "the disk changed"
    );
}

#[test]
fn the_guest_has_no_network_device() {
    let qemu = run(
        "pgrep",
        &["-P", &vm().pid().to_string(), "-f", "qemu-system"],
    );
    let arguments = fs::read(format!("/proc/{}/cmdline", qemu.trim())).expect("QEMU's arguments");
    let arguments = text(&arguments).replace('\0', " ");
    assert!(arguments.contains("-nodefaults"), "{arguments}");
    assert!(
        !arguments.contains("-net") && !arguments.contains("virtio-net"),
        "{arguments}"
    );
}

#[test]
fn ctrl_c_shuts_the_guest_down_cleanly() {
    let machine = Machine::boot(&Plan::vm());
    let (status, log) = machine.interrupt();
    assert!(status.success(), "{status}\n{log}");
}

#[test]
fn a_guest_that_dies_ends_the_run_with_its_last_lines() {
    let machine = Machine::boot(&Plan::vm());
    let qemu = run(
        "pgrep",
        &["-P", &machine.pid().to_string(), "-f", "qemu-system"],
    );
    run("kill", &["-KILL", qemu.trim()]);
    let (status, log) = machine.ended();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("console: ") && log.contains("hint:"), "{log}");
}

#[test]
fn two_requests_at_once_are_both_answered() {
    let body = body("Hi", r#""max_tokens":2"#);
    let children: Vec<_> = (0..2)
        .map(|_| {
            let mut curl = asking(&body);
            curl.stdout(Stdio::piped());
            spawn_kept(curl)
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("curl ends");
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(answer["usage"]["completion_tokens"], 2, "{answer}");
    }
}

fn files_below(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let kind = entry.file_type().expect("a file type");
        if kind.is_dir() {
            files_below(&entry.path(), into);
        } else if kind.is_file() {
            into.push((
                entry.path().display().to_string(),
                fs::read(entry.path()).expect("a file"),
            ));
        }
    }
}
