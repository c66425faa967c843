//! Other people's clients, unchanged, through the proxy to real engines in real rooms; the enclave is a plain process.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use chrysalis_tests::{
    forward::Forwarder,
    machine::{Machine, Plan, policy_for, run, text},
    paths,
    proxy::Proxy,
};
use tempfile::TempDir;

/// What is served, until the tests end.
struct Served {
    proxy: Proxy,
    /// To the same machine, through a relay.
    relayed: Proxy,
    machine: Machine,
    policy: PathBuf,
    _folder: TempDir,
}

/// The proxy to a machine with a chat model and an embedder, or nothing where their disks are not built.
fn served() -> Option<&'static Served> {
    static SERVED: OnceLock<Option<Served>> = OnceLock::new();
    SERVED
        .get_or_init(|| {
            for card in ["all-minilm-l6-v2", "whisper-cpu", "whisper-base"] {
                if !paths::disks().join(format!("{card}.toml")).exists() {
                    chrysalis_test_support::skip(format!("no disk of {card}: make test makes it"));
                    return None;
                }
            }
            let folder = tempfile::tempdir().expect("a folder");
            let configuration = folder.path().join("configuration.toml");
            let made = Command::new(paths::tool("chrysalis-image"))
                .arg("configuration")
                .arg(clients().join("serving.toml"))
                .arg("--disks")
                .arg(paths::disks())
                .arg("--out")
                .arg(&configuration)
                .output()
                .expect("chrysalis-image starts");
            assert!(made.status.success(), "{}", text(&made.stderr));
            let machine = Machine::boot(&Plan {
                configuration: configuration.clone(),
                ..Plan::process()
            });
            let policy = folder.path().join("policy.toml");
            std::fs::write(&policy, policy_for(&configuration)).expect("a policy");
            let url = machine.url();
            let gateway = url.strip_prefix("https://").expect("https");
            let relay = Forwarder::before(gateway);
            Some(Served {
                proxy: Proxy::start(&url, &policy),
                relayed: Proxy::start_with(&url, &policy, &["--relay", relay.url()]),
                machine,
                policy,
                _folder: folder,
            })
        })
        .as_ref()
}

/// The same, and the Python that asks, if there is one.
fn served_to_python() -> Option<(&'static Served, PathBuf)> {
    let python = paths::python();
    if !python.exists() {
        chrysalis_test_support::skip("no Python environment: make test makes one");
        return None;
    }
    served().map(|served| (served, python))
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// What a client's script says about a base address.
fn says(mut command: Command) -> String {
    let output = command.output().expect("the client starts");
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
    said
}

#[test]
fn python_clients_work_unchanged_and_through_a_relay() {
    let Some((served, python)) = served_to_python() else {
        return;
    };
    for proxy in [&served.proxy, &served.relayed] {
        python_clients_work(&python, proxy);
    }
}

fn python_clients_work(python: &Path, proxy: &Proxy) {
    let mut command = Command::new(python);
    command
        .arg(clients().join("compatible.py"))
        .arg(format!("http://{}/v1", proxy.address()));
    let said = says(command);
    for client in [
        "openai chat",
        "openai tools",
        "openai parse",
        "openai embeddings",
        "openai responses",
        "openai errors",
        "anthropic",
        "langchain",
        "litellm",
        "llm",
    ] {
        assert!(said.contains(&format!("{client} ok")), "{client}: {said}");
    }
}

#[test]
fn a_load_tool_measures_it() {
    let Some((served, python)) = served_to_python() else {
        return;
    };
    let mut command = Command::new(python);
    command
        .arg(clients().join("load.py"))
        .arg(format!("http://{}/v1", served.proxy.address()));
    assert!(says(command).contains("load ok"));
}

/// What a client learns of whether its prompt was computed before: by the engine's own count, which is what its time follows.
fn counted(proxy: &Proxy, prompt: &str) -> (u64, u64) {
    let body = serde_json::json!({
        "model": "smollm2-135m-instruct", "max_tokens": 1, "temperature": 0,
        "messages": [{"role": "user", "content": prompt}],
    });
    let url = format!("http://{}/v1/chat/completions", proxy.address());
    let json = "content-type: application/json";
    let answer = run("curl", &["-sS", &url, "-H", json, "-d", &body.to_string()]);
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let usage = &answer["usage"];
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    (
        number(&usage["prompt_tokens"]),
        number(&usage["prompt_tokens_details"]["cached_tokens"]),
    )
}

#[test]
fn a_prompt_that_another_tenant_sent_is_computed_like_one_that_nobody_sent() {
    let Some(served) = served() else { return };
    // Another proxy is another connection, and so another tenant.
    let other = Proxy::start(&served.machine.url(), &served.policy);
    let secret = "The launch code is seven four one one. ".repeat(12);
    let (fresh, cached) = counted(&served.proxy, &secret);
    assert!(fresh > 100 && cached == 0, "{fresh} {cached}");
    assert_eq!(counted(&other, &secret), (fresh, 0));
    // A prompt that begins alike says as little.
    assert_eq!(counted(&other, &format!("{secret}Is it?")).1, 0);
}

/// Voice messages, in each kind of file and of answer.
#[test]
fn recordings_are_written_down() {
    let Some((served, python)) = served_to_python() else {
        return;
    };
    let mut command = Command::new(python);
    command
        .arg(clients().join("voice.py"))
        .arg(format!("http://{}/v1", served.proxy.address()));
    let said = says(command);
    for step in [
        "formats",
        "times",
        "stream",
        "minute",
        "languages",
        "odd",
        "errors",
    ] {
        assert!(said.contains(&format!("voice {step} ok")), "{step}: {said}");
    }
}

/// As it comes, which is with the groups that it prefers itself.
#[test]
fn openssl_agrees_on_keys_that_a_quantum_computer_does_not_find() {
    let Some((served, python)) = served_to_python() else {
        return;
    };
    let url = served.machine.url();
    let address = url.strip_prefix("https://").expect("https");
    let mut command = Command::new(python);
    command.arg(clients().join("openssl.py")).arg(address);
    let said = says(command);
    assert!(said.ends_with("TLSv1.3 X25519MLKEM768\n"), "{said}");
}

#[test]
fn the_node_sdk_works_unchanged() {
    let sdk = paths::node();
    if !sdk.join("node_modules/openai").exists() {
        chrysalis_test_support::skip("no Node SDK: make test gets it where there is npm");
        return;
    }
    let Some(served) = served() else { return };
    let mut command = Command::new("node");
    command
        .arg(clients().join("compatible.mjs"))
        .arg(format!("http://{}/v1", served.proxy.address()))
        .arg(sdk);
    let said = says(command);
    for step in ["node chat", "node tools", "node responses", "node voice"] {
        assert!(said.contains(&format!("{step} ok")), "{step}: {said}");
    }
}
