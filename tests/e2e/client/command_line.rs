//! The command line: what it prints where, and its exit codes: 0 trusted, 1 refused, 2 could not tell.

use std::{
    fs,
    process::{Command, Output},
};

use chrysalis_tests::paths;
use serde_json::Value;
use tempfile::TempDir;

use crate::stage::{Enclave, Host, Proof, Reply, policy_text};

const PROMPT: &str = "the prompt that must not leave";

/// A folder with a policy in it for the honest enclave.
fn folder(policy: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.toml"), policy).unwrap();
    folder
}

/// Runs `chrysalis` in `folder`, while the host goes on serving.
async fn chrysalis(folder: &TempDir, arguments: &[&str]) -> Output {
    let program = paths::tool("chrysalis");
    assert!(
        program.exists(),
        "cargo build -p chrysalis makes {}",
        program.display()
    );
    let mut command = Command::new(program.canonicalize().unwrap());
    command.args(arguments).current_dir(folder.path());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Exit code, stdout, stderr.
async fn run(folder: &TempDir, arguments: &[&str]) -> (i32, String, String) {
    let output = chrysalis(folder, arguments).await;
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[tokio::test]
async fn verify_prints_the_verdict_and_says_that_it_is_simulated() {
    let host = Host::serving(Enclave::honest()).await;
    let folder = folder(&policy_text(true));
    let url = host.target().to_string();
    let (code, verdict, talk) = run(&folder, &["verify", &url, "--policy", "policy.toml"]).await;
    assert_eq!((code, talk.as_str()), (0, ""), "{verdict}");
    let mut lines = verdict.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .contains("SIMULATED, not AMD hardware"),
        "{verdict}"
    );
    assert!(
        lines
            .next_back()
            .unwrap()
            .starts_with("trusted (simulated) until 20"),
        "{verdict}"
    );
}

#[tokio::test]
async fn verify_as_json_holds_to_its_contract() {
    let host = Host::serving(Enclave::honest()).await;
    let folder = folder(&policy_text(true));
    let url = host.target().to_string();
    let arguments = [
        "verify",
        &url,
        "--policy",
        "policy.toml",
        "--format",
        "json",
    ];
    let (code, stdout, _) = run(&folder, &arguments).await;
    let verdict: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &verdict["verdict"]), (0, &"trusted".into()));
    assert_eq!(
        (&verdict["code"], &verdict["simulated"]),
        (&Value::Null, &true.into())
    );
    assert_eq!(verdict["claims"]["measurement"], "11".repeat(48));
    assert_eq!(verdict["checks"][0]["outcome"], "passed");

    host.prove(Proof::Replayed);
    let (code, stdout, _) = run(&folder, &arguments).await;
    let verdict: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &verdict["verdict"]), (1, &"rejected".into()));
    assert_eq!(verdict["code"], "binding_mismatch");
    assert_eq!(
        verdict["checks"].as_array().unwrap().last().unwrap()["outcome"],
        "failed"
    );
}

#[tokio::test]
async fn a_saved_session_verifies_offline_and_until_its_collateral_ends() {
    let host = Host::serving(Enclave::honest()).await;
    let folder = folder(&policy_text(true));
    let url = host.target().to_string();
    let save = [
        "verify",
        &url,
        "--policy",
        "policy.toml",
        "--save",
        "session.cbor",
        "--quiet",
    ];
    assert_eq!(run(&folder, &save).await, (0, String::new(), String::new()));
    drop(host);
    let again = ["verify", "session.cbor", "--policy", "policy.toml"];
    assert_eq!(run(&folder, &again).await.0, 0);
    let later = [&again[..], &["--at", "2045-01-01T00:00:00Z"]].concat();
    let (code, verdict, _) = run(&folder, &later).await;
    assert_eq!(code, 1);
    assert!(
        verdict.contains("expired") && verdict.contains("hint: "),
        "{verdict}"
    );
}

#[tokio::test]
async fn verify_without_a_policy_never_says_trusted() {
    let host = Host::serving(Enclave::honest()).await;
    let folder = folder("");
    let (code, verdict, _) = run(&folder, &["verify", &host.target().to_string()]).await;
    assert_eq!(code, 1, "{verdict}");
    assert!(verdict.starts_with("not trusted: "), "{verdict}");
}

#[tokio::test]
async fn what_cannot_be_checked_ends_in_2_and_says_what_to_do() {
    let folder = folder("version = 1\n[snp]\nlaunch_digets = []\n");
    fs::write(folder.path().join("junk"), "junk").unwrap();
    for (arguments, expected) in [
        (
            &["verify", "https://127.0.0.1:1", "--policy", "none.toml"][..],
            "chrysalis policy init",
        ),
        (
            &["verify", "https://127.0.0.1:1", "--policy", "policy.toml"],
            "launch_digest",
        ),
        (&["verify", "https://127.0.0.1:1"], "hint: "),
        (&["verify", "http://127.0.0.1:1"], "write https://HOST:PORT"),
        (
            &["verify", "https://127.0.0.1:1/v1"],
            "write https://HOST:PORT",
        ),
        (&["verify", "missing.cbor"], "https://HOST:PORT"),
        (&["verify", "junk"], "chrysalis verify URL --save FILE"),
        (
            &["verify", "junk", "--at", "yesterday"],
            "2026-12-01T12:00:00Z",
        ),
        (&["verify", "junk", "--collateral", "."], "holds no .pem"),
        (&["chat", "https://127.0.0.1:1", "hello"], "--policy <FILE>"),
        (
            &["proxy", "https://a", "--policy", "p", "--reverify", "often"],
            "30s, 5m or 1h",
        ),
        (
            &["proxy", "https://a", "--policy", "p", "--allow-origin", "*"],
            "name the one origin",
        ),
        (
            &[
                "proxy",
                "https://a",
                "--policy",
                "p",
                "--allow-origin",
                "app://a/b",
            ],
            "write it without a path",
        ),
        (
            &["proxy", "https://a", "--policy", "p", "--host-name", "a/b"],
            "NAME:PORT",
        ),
        (
            &[
                "proxy",
                "https://a",
                "--policy",
                "p",
                "--token-file",
                "none",
            ],
            "openssl rand -hex 32",
        ),
        (
            &[
                "proxy",
                "https://a",
                "--policy",
                "p",
                "--token-file",
                "junk",
            ],
            "16 to 512 letters",
        ),
        (
            &["measure", ".", "--platform", "snp", "--vcpus", "2"],
            "chrysalis-image build",
        ),
        (
            &["measure", ".", "--platform", "snp", "--vcpus", "0"],
            "1..=512",
        ),
    ] {
        let (code, stdout, talk) = run(&folder, arguments).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {talk}");
        assert!(talk.contains(expected), "{arguments:?}: {talk}");
    }
}

#[tokio::test]
async fn the_proxy_lets_no_other_machine_in_unasked() {
    let host = Host::serving(Enclave::honest()).await;
    let folder = folder(&policy_text(true));
    let url = host.target().to_string();
    for address in ["0.0.0.0:0", "[::]:0"] {
        let arguments = [
            "proxy",
            &url,
            "--policy",
            "policy.toml",
            "--listen",
            address,
        ];
        let (code, stdout, talk) = run(&folder, &arguments).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{talk}");
    }
    let arguments = [
        "proxy",
        &url,
        "--policy",
        "policy.toml",
        "--listen",
        "0.0.0.0:0",
    ];
    let (_, _, talk) = run(&folder, &arguments).await;
    assert!(talk.contains("--allow-remote"), "{talk}");
    assert_eq!(host.connections(), 0);
}

#[tokio::test]
async fn show_explains_each_field_without_a_verdict() {
    let host = Host::serving(Enclave::honest()).await;
    let folder = folder("");
    let (code, shown, talk) = run(&folder, &["show", &host.target().to_string()]).await;
    assert_eq!(code, 0, "{talk}");
    for part in [
        "launch_digest        1111",
        "host_data            2222",
        "ARK-Genoa",
        "smollm2",
        "simulated: ",
        "revoked",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(talk.contains("not judged"), "{talk}");
}

#[tokio::test]
async fn chat_prints_the_answer_on_stdout_and_the_verdict_on_stderr() {
    let host = Host::serving(Enclave::honest()).await;
    let folder = folder(&policy_text(true));
    let url = host.target().to_string();
    let (code, answer, talk) =
        run(&folder, &["chat", &url, PROMPT, "--policy", "policy.toml"]).await;
    assert_eq!((code, answer.as_str()), (0, "Hello\n"), "{talk}");
    assert!(talk.starts_with("trusted (simulated) until "), "{talk}");
    assert!(talk.contains("; open: 14 not in the policy\n"), "{talk}");
    assert!(host.seen().contains(PROMPT) && host.seen().contains("\"model\":\"smollm2\""));
}

#[tokio::test]
async fn chat_sends_nothing_to_an_enclave_that_is_refused() {
    let host = Host::serving(Enclave::running([7; 48])).await;
    let folder = folder(&policy_text(true));
    let url = host.target().to_string();
    let (code, answer, talk) =
        run(&folder, &["chat", &url, PROMPT, "--policy", "policy.toml"]).await;
    assert_eq!((code, answer.as_str()), (1, ""), "{talk}");
    assert!(
        talk.starts_with("not trusted: launch_digest_unknown"),
        "{talk}"
    );
    assert!(talk.contains("hint: ") && !host.seen().contains(PROMPT));
}

#[tokio::test]
async fn chat_says_when_an_answer_is_incomplete() {
    let host = Host::serving(Enclave::honest()).await;
    host.reply(Reply::Cut);
    let folder = folder(&policy_text(true));
    let url = host.target().to_string();
    let (code, answer, talk) =
        run(&folder, &["chat", &url, PROMPT, "--policy", "policy.toml"]).await;
    assert_eq!((code, answer.as_str()), (2, "Hel\n"), "{talk}");
    assert!(
        talk.contains("incomplete_answer") && talk.contains("hint: "),
        "{talk}"
    );
}
