//! Other people's clients, unchanged, through the proxy to real engines in real rooms; the enclave is a plain process.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use chrysalis_tests::{
    forward::Forwarder,
    machine::{Machine, Plan, policy_for, text},
    paths,
    proxy::Proxy,
};
use tempfile::TempDir;

/// What is served, until the tests end.
struct Served {
    proxy: Proxy,
    /// To the same machine, through a relay.
    relayed: Proxy,
    _machine: Machine,
    _folder: TempDir,
}

/// The proxy to a machine with a chat model and an embedder, or nothing where their disks are not built.
fn served() -> Option<&'static Served> {
    static SERVED: OnceLock<Option<Served>> = OnceLock::new();
    SERVED
        .get_or_init(|| {
            if !paths::disks().join("all-minilm-l6-v2.toml").exists() {
                chrysalis_test_support::skip("no disk of all-minilm-l6-v2: make test makes it");
                return None;
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
                _machine: machine,
                _folder: folder,
            })
        })
        .as_ref()
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
    let python = paths::python();
    if !python.exists() {
        chrysalis_test_support::skip("no Python environment: make test makes one");
        return;
    }
    let Some(served) = served() else { return };
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
    for step in ["node chat", "node tools", "node responses"] {
        assert!(said.contains(&format!("{step} ok")), "{step}: {said}");
    }
}
