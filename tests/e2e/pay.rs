//! Paid by the token: a purse on a local chain, a real enclave with a real engine, the proxy that pays, the cashier that claims.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use chrysalis_settle::Kept;
use chrysalis_tests::{
    machine::{Machine, Plan, chrysalis, policy_for, text},
    paths,
    proxy::Proxy,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const HOME: &str = "0:7777777777777777777777777777777777777777777777777777777777777777";
const PAYEE: &str = "0:5555555555555555555555555555555555555555555555555555555555555555";
/// So dear that one answer is worth a claim.
const FLOOR: &str = "300000000000";
/// How long the cashier may take: it looks twice a minute.
const PATIENCE: Duration = Duration::from_secs(150);

/// A chain, a purse with a lane, and a machine that wants to be paid.
struct World {
    chain: SocketAddr,
    folder: TempDir,
    lane: String,
    machine: Machine,
}

impl World {
    fn new() -> Self {
        let chain = chrysalis_localnet::start(1_800_000_000).expect("a chain");
        let folder = tempfile::tempdir().expect("a folder");
        let configuration = folder.path().join("configuration.toml");
        fs::write(&configuration, priced()).expect("a configuration");
        fs::write(
            folder.path().join("policy.toml"),
            policy_for(&configuration),
        )
        .expect("a policy");
        let api = format!("http://{chain}/api/v2");
        let plan = Plan {
            configuration,
            ..Plan::process()
        };
        let plan = plan
            .with("--chain", &api)
            .with("--payee", PAYEE)
            .with("--floor", FLOOR);
        let mut world = Self {
            chain,
            folder,
            lane: String::new(),
            machine: Machine::boot(&plan),
        };
        let made = world.pay(
            "init",
            &["--home", HOME, "--chain", &api, "--no-passphrase"],
        );
        let gift = json!({"address": made.trim(), "nano": 5_000_000_000_u64});
        world.post("/faucet", &gift);
        let lane = world.pay("lock", &[PAYEE, "3", "--close-delay", "1h"]);
        lane.trim().clone_into(&mut world.lane);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn pay(&self, verb: &str, words: &[&str]) -> String {
        let purse = self.path("purse");
        let purse = ["pay", verb, "--purse", &purse.to_string_lossy()];
        let output = chrysalis(&[&purse, words].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    fn post(&self, path: &str, body: &Value) {
        let answer = http(&self.chain.to_string(), path, body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// A proxy that pays, and keeps receipts.
    fn proxy(&self) -> Proxy {
        let (purse, receipts) = (self.path("purse"), self.path("receipts"));
        let paying = [
            "--purse",
            &purse.to_string_lossy(),
            "--pay",
            &self.lane,
            "--max-job",
            "0.9",
            "--receipts",
            &receipts.to_string_lossy(),
        ];
        Proxy::start_with(&self.machine.url(), &self.path("policy.toml"), &paying)
    }

    /// The largest sum of each tab, in nano, as the receipts have it.
    fn owed(&self) -> Vec<u64> {
        let mut tabs = BTreeMap::new();
        for entry in fs::read_dir(self.path("receipts"))
            .expect("receipts")
            .flatten()
        {
            if entry.path().extension() == Some("receipt".as_ref()) {
                let bytes = fs::read(entry.path()).expect("a receipt");
                let kept = Kept::decode(&bytes).expect("a receipt");
                let sum: &mut u64 = tabs.entry(kept.statement().tab).or_default();
                *sum = kept.job().cumulative.max(*sum);
            }
        }
        tabs.into_values().collect()
    }

    fn lane(&self) -> Value {
        let status: Value = serde_json::from_str(&self.pay("status", &["--json"])).expect("JSON");
        status["lanes"][0].clone()
    }
}

/// The demonstration's configuration, with prices.
fn priced() -> String {
    let text = fs::read_to_string(paths::configuration()).expect("the configuration");
    let text = text.replace("[serving]", "[serving]\npayment = \"required\"");
    format!("{text}\n[price]\nweights = [1000000, 250000, 3000000, 0]\nepoch_seconds = 60\n")
}

fn http(address: &str, path: &str, body: &Value) -> String {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Asks for an answer of eight tokens.
fn ask(proxy: &Proxy, stream: bool) -> String {
    let messages = json!([{"role": "user", "content": "Say something."}]);
    let body = json!({"model": "smollm2-135m-instruct", "max_tokens": 8, "stream": stream, "messages": messages});
    http(proxy.address(), "/v1/chat/completions", &body)
}

#[test]
fn every_answer_is_paid_for_and_nothing_else_is() {
    let world = World::new();
    // Without money there is no answer, and what one would cost is said.
    let unpaid = Proxy::start(&world.machine.url(), &world.path("policy.toml"));
    let refused = ask(&unpaid, false);
    assert!(refused.starts_with("HTTP/1.1 402"), "{refused}");
    assert!(refused.contains("payment_required"), "{refused}");
    drop(unpaid);

    let proxy = world.proxy();
    let whole = ask(&proxy, false);
    assert!(whole.starts_with("HTTP/1.1 200"), "{whole}");
    let streamed = ask(&proxy, true);
    assert!(streamed.contains("data: [DONE]"), "{streamed}");
    assert_eq!(
        world.owed().len(),
        1,
        "one connection after the other: one tab"
    );
    let first: u64 = world.owed().iter().sum();
    // At once: each connection has a tab of its own.
    thread::scope(|scope| {
        let asked: Vec<_> = (0..3).map(|_| scope.spawn(|| ask(&proxy, false))).collect();
        for asked in asked {
            let answer = asked.join().expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    });
    assert!(world.owed().iter().sum::<u64>() > first);
    drop(proxy);

    // Another process goes on where that one was.
    let before = world.owed();
    let again = world.proxy();
    let answer = ask(&again, false);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let owed = world.owed();
    assert_eq!(owed.len(), before.len());
    assert!(owed.iter().sum::<u64>() > before.iter().sum());
    drop(again);

    // The lane closes; its provider hears of it, and is paid what the receipts say, but for what is less than a claim must bring.
    world.pay("close", &[&world.lane]);
    let least = 27_235_200;
    let due: u64 = owed.iter().filter(|owed| **owed >= least).sum();
    assert!(due > 0, "{owed:?}");
    let began = Instant::now();
    while world.lane()["paid"] != due {
        assert!(began.elapsed() < PATIENCE, "{} of {due}", world.lane());
        thread::sleep(Duration::from_secs(1));
    }
    world.post("/clock", &json!({"by": 3600}));
    world.pay("free", &[&world.lane]);
    assert_eq!(world.lane(), Value::Null);
}
