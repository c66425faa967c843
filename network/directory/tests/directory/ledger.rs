//! The ledger: its JSON is what its schema says, its figures are the directory's own, and a browser verifies them.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use chrysalis_attestation::encoding::digest::Hex;
use chrysalis_chain::{Account, Address, Chain, ChainError, Contract, Transaction, purse};
use chrysalis_directory::{
    Ledger, Payouts, Senders, page_of,
    server::{self, Limits, Server},
};
use chrysalis_localnet::Local;
use chrysalis_network::Now;
use serde_json::Value;
use tycho_types::cell::HashBytes;

use crate::world::{Enclave, Key, WEIGHTS, World};

const SCHEMA: &str = include_str!("../../../../docs/spec/ledger.schema.json");

/// Two enclaves that reported, and one that did not, with their pages.
fn shown() -> World {
    let mut world = World::new();
    world.publisher = world.publisher.with_ledger(Ledger::new(None));
    let mut two = Enclave::new("two");
    two.chip = 2;
    for enclave in [Enclave::new("one"), two, Enclave::new("three")] {
        world.list(&enclave).unwrap();
        if enclave.name != "three" {
            for report in enclave.reports(3) {
                world.desk.report(&report).unwrap();
            }
        }
    }
    world.publisher.tick().unwrap();
    world.hands.pass(60);
    world.publisher.tick().unwrap();
    world
}

fn summary(world: &World) -> Value {
    serde_json::from_slice(&world.read("v1/ledger/summary.json")).unwrap()
}

fn fits_its_schema(summary: &Value) {
    let schema = serde_json::from_str(SCHEMA).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = schema
        .iter_errors(summary)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn its_figures_are_those_of_the_directory() {
    let mut world = shown();
    let found = summary(&world);
    fits_its_schema(&found);
    let now = Now::decode(&world.read(&format!("now/{}", Hex(WEIGHTS)))).unwrap();
    assert_eq!(found["classes"][0]["index"], now.index.to_string());
    assert_eq!(found["classes"][1]["index"], Value::Null);
    let providers = found["providers"].as_array().unwrap();
    assert_eq!(providers.len(), 3);
    for row in providers {
        let silent = row["receipt_key"] == Hex(Key::of("three").public()).to_string();
        let entry = now
            .entries
            .iter()
            .find(|(id, _)| row["id"] == id.to_string());
        assert_eq!(entry.is_none(), silent);
        if let Some((_, entry)) = entry {
            assert_eq!(row["price"], entry.price.to_string());
            assert_eq!(row["load"], entry.load);
        }
        assert_eq!(row["reports"]["last"].is_null(), silent);
        assert_eq!(row["reports"]["before"].is_null(), silent);
    }
    assert_eq!(found["concentration"][0]["hhi"], 5000);
    let signed = |found: &Value| {
        let rows = found["operators"].as_array().unwrap().iter();
        let mut signed: Vec<_> = rows
            .map(|row| row["signed"].as_str().unwrap().to_owned())
            .collect();
        signed.sort();
        signed
    };
    assert_eq!(signed(&found), ["0", "3000", "3000"]);
    let head = String::from_utf8(world.read("checkpoint")).unwrap();
    let size = head.lines().nth(1).unwrap();
    assert_eq!(found["log"]["size"].to_string(), size);
    assert_eq!(found["network"]["simulated"], true);
    // What was counted is not counted again after a restart, and silence shows.
    world.publisher = chrysalis_directory::Publisher::new(
        std::sync::Arc::clone(&world.desk),
        &world.public(),
        world.origin(),
        chrysalis_directory::Cuts::default(),
    )
    .with_ledger(Ledger::new(None));
    world.hands.pass(600);
    world.publisher.tick().unwrap();
    let later = summary(&world);
    fits_its_schema(&later);
    assert_eq!(signed(&later)[1..], ["3000", "3000"]);
    assert_eq!(later["providers"][0]["reports"]["last"], Value::Null);
    assert_eq!(later["classes"][0]["index"], Value::Null);
    let uptime = |row: &Value| row["uptime"].as_i64().unwrap();
    assert!(
        later["providers"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| uptime(row) < 200)
    );
    assert!(
        !later["classes"][0]["history"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_it_shows_without_its_script_is_in_the_page() {
    let world = shown();
    let page = String::from_utf8(world.read("index.html")).unwrap();
    assert_eq!(page, page_of(&summary(&world)));
    assert!(!page.contains("<!--"), "a mark is left");
    assert_eq!(page.matches("data-state=\"unchecked\"").count(), 3);
    let table = String::from_utf8(world.read("v1/ledger/table.html")).unwrap();
    assert_eq!(table.matches("data-state=\"unchecked\"").count(), 3);
    for name in ["ledger.js", "ledger.css"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("ledger")
            .join(name);
        assert_eq!(world.read(name), std::fs::read(source).unwrap());
    }
}

/// A local chain on which the faucet's account has some code.
struct Faucet {
    local: Local,
    code: tycho_types::cell::Cell,
    silent: bool,
}

impl Chain for Faucet {
    fn account(&self, _: &Address) -> Result<Account, ChainError> {
        let (code, data) = (self.code.clone(), self.code.clone());
        Ok(Account {
            balance: 0,
            contract: Some(Contract { code, data }),
            last: (0, HashBytes::ZERO),
            at: 0,
        })
    }

    fn send(&self, _: &tycho_types::cell::Cell) -> Result<(), ChainError> {
        Ok(())
    }

    fn transactions(
        &self,
        address: &Address,
        after: u64,
        most: u16,
    ) -> Result<Vec<Transaction>, ChainError> {
        if self.silent {
            let (address, why) = ("chain.example".to_owned(), String::new());
            return Err(ChainError::Unreachable { address, why });
        }
        let all = self.local.transactions(address).iter().rev();
        let all = all.map(|it| it.load().unwrap());
        Ok(all.filter(|it| it.lt > after).take(most.into()).collect())
    }

    fn global_id(&self) -> Result<i32, ChainError> {
        Ok(-3)
    }
}

#[test]
fn only_what_purses_sent_counts_as_paid_and_each_payment_once() {
    let payee = [7; 32];
    let address = Address::new(0, HashBytes(payee));
    let hash = purse::code().repr_hash().0;
    let mut chain = Faucet {
        local: Local::new(1_800_000_000),
        code: purse::code(),
        silent: false,
    };
    chain.local.give(&address, 5_000_000);
    chain.local.give(&address, 2_000_000);
    let follow = |payouts: &Payouts, chain: &Faucet, purse: [u8; 32]| {
        payouts.want([payee].into());
        let done = payouts.round(chain, &mut Senders::new(purse), Duration::ZERO);
        (done.is_ok(), payouts.of(&payee).unwrap())
    };
    let payouts = Payouts::idle();
    let (_, paid) = follow(&payouts, &chain, hash);
    assert_eq!((paid.nano, paid.whole), (7_000_000, true));
    let (_, other) = follow(&Payouts::idle(), &chain, [1; 32]);
    assert_eq!((other.nano, other.whole), (0, true));
    chain.silent = true;
    assert_eq!(follow(&payouts, &chain, hash), (false, paid));
    chain.silent = false;
    chain.local.give(&address, 1);
    assert_eq!(follow(&payouts, &chain, hash).1.nano, 7_000_001);
    for _ in 0..120 {
        chain.local.give(&address, 1);
    }
    let (_, many) = follow(&payouts, &chain, hash);
    assert_eq!((many.nano, many.whole), (7_000_101, false));
}

/// Node, playwright-core and Chromium; otherwise the test is skipped.
fn browser() -> Option<PathBuf> {
    if !chrysalis_test_support::has_node() {
        return None;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let node = env::var_os("CHRYSALIS_NODE").map_or_else(|| root.join("build/node"), PathBuf::from);
    if !node.join("node_modules/playwright-core").exists() {
        chrysalis_test_support::skip("no playwright-core: scripts/test installs it");
        return None;
    }
    let chromium = env::var_os("CHRYSALIS_CHROMIUM").unwrap_or_else(|| "/usr/bin/chromium".into());
    if !Path::new(&chromium).exists() {
        chrysalis_test_support::skip("no Chromium here");
        return None;
    }
    Some(node)
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ledger")
}

fn run(node: &Path, name: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-reporter=spec"])
        .arg(tests().join(name))
        .env("CHRYSALIS_NODE", node)
        .envs(variables.iter().copied());
    let output = command.output().unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    println!("{said}");
    assert!(output.status.success(), "{name} failed");
    assert!(said.contains("skipped 0"), "{name} skipped something");
}

#[test]
fn the_page_reads_reports_and_prices_as_everyone_does() {
    if chrysalis_test_support::has_node() {
        run(Path::new(""), "rule.test.mjs", &[]);
    }
}

#[test]
fn the_page_does_what_it_says_in_a_browser() {
    let Some(node) = browser() else { return };
    let fixture = Command::new("node")
        .arg(tests().join("fixtures.mjs"))
        .output()
        .unwrap();
    let summary: Value = serde_json::from_slice(&fixture.stdout).unwrap();
    fits_its_schema(&summary);
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("index.html");
    std::fs::write(&page, page_of(&summary)).unwrap();
    let page = page.to_str().unwrap();
    run(&node, "page.test.mjs", &[("CHRYSALIS_LEDGER_PAGE", page)]);
}

#[test]
fn a_browser_verifies_what_a_directory_published() {
    let Some(node) = browser() else { return };
    let world = shown();
    let server = Server::new(
        std::sync::Arc::clone(&world.desk),
        &world.public(),
        Limits::default(),
    );
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = server::listen("127.0.0.1:0".parse().unwrap())
                .await
                .unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            server.serve(listener).await;
        });
    });
    let url = format!("http://{}/", told.recv().unwrap());
    run(
        &node,
        "directory.test.mjs",
        &[("CHRYSALIS_LEDGER_URL", &url)],
    );
}
