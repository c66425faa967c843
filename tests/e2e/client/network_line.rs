//! A network on the command line: who signed its descriptor, what its directories list, and the proxy in front of it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrysalis_attestation::{
    encoding::digest::{Hex, sha256},
    release::PublicKey,
};
use chrysalis_chain::{LOCAL_ID, purse};
use chrysalis_image::publish::public_pem;
use chrysalis_network::{Descriptor, SignedListing};
use chrysalis_tests::paths;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::{
    listed::{Key, Publisher, honest},
    stage::{Enclave, Host, policy_text},
};

/// Two hosts, their directory, and a folder with what a person has of the network.
struct World {
    hosts: Vec<Host>,
    directory: Publisher,
    folder: TempDir,
}

/// Signs messages, not digests.
fn signature(key: u8, message: &[u8]) -> Vec<u8> {
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[key; 32]).unwrap();
    pair.sign(message).as_ref().to_vec()
}

impl World {
    async fn new() -> Self {
        let world = Self {
            hosts: vec![
                Host::serving(Enclave::honest()).await,
                Host::serving(Enclave::honest()).await,
            ],
            directory: Publisher::new().await,
            folder: tempfile::tempdir().unwrap(),
        };
        let listed = world.hosts.iter().zip(1..);
        let listed = listed.map(|(host, operator)| (honest(operator, host), 21_000_000));
        world.directory.publish(&listed.collect::<Vec<_>>());
        world.directory.index(21_000_000);
        let policy = policy_text(true);
        let digest = Hex(sha256(&[policy.as_bytes()]));
        world
            .directory
            .put(&format!("/policies/{digest}"), policy.as_bytes());
        for key in [201, 202] {
            let public = PublicKey::from_ed25519(Key::new(key).public()).unwrap();
            world.write(&format!("{key}.pub"), public_pem(&public).as_bytes());
        }
        world.sign("network.json", 2, &[201, 202]);
        world
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    /// A descriptor of this version, signed by these.
    fn sign(&self, name: &str, version: u64, keys: &[u8]) {
        let toml = format!(
            "name = \"network.example\"\nversion = {version}\nexpires = \"2099-01-01T00:00:00Z\"\npolicy = \"{}\"\n\
             [chain]\nglobal_id = {LOCAL_ID}\npurse = \"{}\"\n\
             [[directory]]\nurl = \"{}\"\nkey = \"{}\"\n\
             [[class]]\nname = \"smollm2\"\nweights = \"{}\"\n",
            Hex(sha256(&[policy_text(true).as_bytes()])),
            Hex(purse::code().repr_hash().0),
            self.directory.url(),
            Hex(Key::new(100).public()),
            Hex([4; 32]),
        );
        let mut envelope = Descriptor::envelope(toml.into_bytes()).unwrap();
        for key in keys {
            let public = PublicKey::from_ed25519(Key::new(*key).public()).unwrap();
            let signed = signature(*key, &envelope.to_be_signed());
            envelope = envelope.with_signature(&public, signed);
        }
        let json = envelope.to_json();
        self.directory.put("/network", json.as_bytes());
        self.write(name, json.as_bytes());
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(paths::tool("chrysalis").canonicalize().unwrap());
        command.args(words).current_dir(self.folder.path());
        command.env("XDG_STATE_HOME", self.folder.path().join("state"));
        command
    }

    /// Exit code, stdout, stderr.
    async fn run(&self, words: &[&str]) -> (i32, String, String) {
        let mut command = self.command(words);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let Output {
            status,
            stdout,
            stderr,
        } = output.await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// A proxy in front of it, what it said when it began, and where it listens.
    async fn proxy(&self, words: &[&str]) -> (Running, String, SocketAddr) {
        let mut all = vec!["proxy", "--listen", "127.0.0.1:0", "--allow-private"];
        all.extend(BOTH);
        all.extend(words);
        let mut command = self.command(&all);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let errors = running.0.stderr.take().unwrap();
        let said = tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            let mut lines = BufReader::new(errors);
            while !said.contains("/v1\n") && lines.read_line(&mut said).unwrap() > 0 {}
            // Whoever writes on must be read on.
            std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
            said
        });
        let said = said.await.unwrap();
        let address = said
            .rsplit_once("http://")
            .unwrap_or_else(|| panic!("{said}"));
        let address = address
            .1
            .trim_end()
            .trim_end_matches("/v1")
            .parse()
            .unwrap();
        (running, said, address)
    }
}

/// The network, and both who sign it.
const BOTH: [&str; 6] = [
    "--network",
    "network.json",
    "--network-key",
    "201.pub",
    "--network-key",
    "202.pub",
];

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

async fn chat(proxy: SocketAddr) -> String {
    let asked = tokio::task::spawn_blocking(move || {
        let mut tcp = std::net::TcpStream::connect(proxy).unwrap();
        let body = "{\"model\":\"smollm2\"}";
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {proxy}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        tcp.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).unwrap();
        answer
    });
    asked.await.unwrap()
}

#[tokio::test]
async fn a_descriptor_counts_if_enough_signed_it_and_never_goes_back() {
    let world = World::new().await;
    let list = |words: &[&'static str]| [&["network", "list"], words].concat();
    let (code, out, said) = world.run(&list(&BOTH)).await;
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("2 listed, index 0.021"), "{out}");
    // From a directory as well.
    let url = format!("{}/network", world.directory.url());
    let words = [
        "network",
        "list",
        "--network",
        &url,
        "--network-key",
        "201.pub",
    ];
    let (code, out, said) = world.run(&words).await;
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("network.example, version 2"), "{out}");

    world.sign("one.json", 2, &[201]);
    let one = [
        "network",
        "list",
        "--network",
        "one.json",
        "--network-key",
        "201.pub",
    ];
    let both = [&one[..], &["--network-key", "202.pub"]].concat();
    let (code, _, said) = world.run(&both).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("descriptor_signers"), "{said}");
    let enough = [&both[..], &["--network-at-least", "1"]].concat();
    assert_eq!(world.run(&enough).await.0, 0);
    for wrong in ["0", "3"] {
        let words = [&both[..], &["--network-at-least", wrong]].concat();
        let (code, _, said) = world.run(&words).await;
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("is not 1 to 2"), "{said}");
    }

    world.sign("network.json", 1, &[201, 202]);
    let (code, _, said) = world.run(&list(&BOTH)).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("descriptor_rolled_back") && said.contains("hint: "),
        "{said}"
    );
    let (code, _, said) = world.run(&["network", "list"]).await;
    assert_eq!(code, 2);
    assert!(said.contains("--network"), "{said}");
}

#[tokio::test]
async fn listings_and_prices_are_shown_to_people_and_programs() {
    let world = World::new().await;
    let with = |words: &[&'static str]| [words, &BOTH].concat();
    let json = world
        .run(&with(&["network", "list", "--format", "json"]))
        .await;
    let json: Value = serde_json::from_str(&json.1).unwrap();
    let providers = json["models"][0]["providers"].as_array().unwrap();
    assert_eq!(
        (providers.len(), &providers[0]["price"]),
        (2, &21_000_000.into())
    );
    assert_eq!(providers[0]["platform"], "simulated");
    let id = SignedListing::verify(&honest(1, &world.hosts[0]))
        .unwrap()
        .id()
        .to_string();
    let show = [&["network", "show", &id[..6]][..], &BOTH].concat();
    let (code, out, said) = world.run(&show).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        out.contains(&id) && out.contains(&world.hosts[0].address().to_string()),
        "{out}"
    );
    let (code, _, said) = world.run(&with(&["network", "show", "xyz"])).await;
    assert_eq!(code, 2);
    assert!(said.contains("0 providers are listed"), "{said}");
    let (_, out, _) = world.run(&with(&["network", "price", "smollm2"])).await;
    assert!(
        out.contains("index    0.021\n") && out.contains("at 2 of 2 providers"),
        "{out}"
    );
    let (code, _, said) = world.run(&with(&["network", "price", "another"])).await;
    assert_eq!(code, 2);
    assert!(said.contains("it has smollm2"), "{said}");
}

#[tokio::test]
async fn the_proxy_says_who_is_there_and_answers_under_the_networks_policy() {
    let world = World::new().await;
    let (_proxy, said, address) = world.proxy(&[]).await;
    assert!(
        said.contains("2 providers verified (simulated), cheapest 0.021     http://127.0.0.1:"),
        "{said}"
    );
    let answer = chat(address).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("x-chrysalis-provider: "), "{answer}");

    // With a policy of one's own, which says so, and here trusts nobody.
    world.write("own.toml", policy_text(false).as_bytes());
    let words = [
        &[
            "proxy",
            "--listen",
            "127.0.0.1:0",
            "--allow-private",
            "--policy",
            "own.toml",
        ][..],
        &BOTH,
    ]
    .concat();
    let (code, _, said) = world.run(&words).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("own.toml counts, and not the network's policy"),
        "{said}"
    );
    assert!(said.contains("not trusted: "), "{said}");
    // Without --allow-private nobody here is asked.
    let before = world.hosts[0].connections();
    let words = [&["proxy", "--listen", "127.0.0.1:0"][..], &BOTH].concat();
    let (code, _, said) = world.run(&words).await;
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("no_provider") && said.contains("at no usable address"),
        "{said}"
    );
    assert_eq!(world.hosts[0].connections(), before);
}

#[tokio::test]
async fn another_policy_than_the_descriptor_names_is_not_taken() {
    let world = World::new().await;
    let digest = Hex(sha256(&[policy_text(true).as_bytes()]));
    world
        .directory
        .put(&format!("/policies/{digest}"), b"version = 1\n");
    let words = [
        &["proxy", "--listen", "127.0.0.1:0", "--allow-private"][..],
        &BOTH,
    ]
    .concat();
    let (code, _, said) = world.run(&words).await;
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("is another file than the descriptor names"),
        "{said}"
    );
    assert!(
        said.contains("no directory has the network's policy"),
        "{said}"
    );
}

/// A SOCKS5 proxy without a login, and how many connections it made.
async fn socks() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut hello = [0; 3];
                from.read_exact(&mut hello).await.unwrap();
                from.write_all(&[5, 0]).await.unwrap();
                let mut asked = [0; 10];
                from.read_exact(&mut asked).await.unwrap();
                assert_eq!(asked[..4], [5, 1, 0, 1]);
                let port = u16::from_be_bytes([asked[8], asked[9]]);
                let ip: [u8; 4] = asked[4..8].try_into().unwrap();
                let mut to = TcpStream::connect(SocketAddr::from((ip, port)))
                    .await
                    .unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                from.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
                    .await
                    .unwrap();
                let _ = copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    (address, made)
}

#[tokio::test]
async fn everything_goes_through_the_proxy_of_via() {
    let world = World::new().await;
    let (socks, made) = socks().await;
    let via = format!("socks5://{socks}");
    let (_proxy, said, address) = world.proxy(&["--via", &via]).await;
    assert!(said.contains("2 providers verified"), "{said}");
    assert!(chat(address).await.starts_with("HTTP/1.1 200"));
    let enclaves: usize = world.hosts.iter().map(Host::connections).sum();
    let files = world.directory.asked().len();
    assert_eq!(made.load(Ordering::SeqCst), enclaves + files);
    // Where it is down, nothing goes past it.
    let words = [
        &["network", "list", "--via", "socks5://127.0.0.1:1"][..],
        &BOTH,
    ]
    .concat();
    fs::remove_dir_all(world.folder.path().join("state")).unwrap();
    let (code, _, said) = world.run(&words).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("the SOCKS5 proxy of --via"), "{said}");
    assert_eq!(world.directory.asked().len(), files);
}

/// A purse in the folder, on a chain of its own, with five coins in it.
async fn purse_of(world: &World) {
    let chain = chrysalis_localnet::start(1_800_000_000).unwrap();
    let home = format!("0:{}", "77".repeat(32));
    let api = format!("http://{chain}/api/v2");
    let words = [
        "pay",
        "init",
        "--purse",
        "purse",
        "--home",
        &home,
        "--chain",
        &api,
        "--no-passphrase",
    ];
    let (code, address, said) = world.run(&words).await;
    assert_eq!(code, 0, "{said}");
    let gift =
        serde_json::json!({"address": address.trim(), "nano": 5_000_000_000_u64}).to_string();
    let head = format!(
        "POST /faucet HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{gift}",
        gift.len()
    );
    let mut tcp = TcpStream::connect(chain).await.unwrap();
    tcp.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

async fn locked(world: &World) -> u64 {
    let status = world
        .run(&["pay", "status", "--purse", "purse", "--json"])
        .await;
    let status: Value = serde_json::from_str(&status.1).unwrap();
    let lanes = status["lanes"].as_array().unwrap().iter();
    lanes.map(|lane| lane["locked"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn a_purse_pays_whoever_answers_and_lanes_stay_within_the_budget() {
    let world = World::new().await;
    for host in &world.hosts {
        host.ask_for(21_000_000);
    }
    purse_of(&world).await;
    let best = [
        "pay",
        "lock",
        "best",
        "0.5",
        "--purse",
        "purse",
        "--model",
        "smollm2",
        "--allow-private",
    ];
    let (code, lane, said) = world.run(&[&best[..], &BOTH].concat()).await;
    assert_eq!(code, 0, "{said}");
    assert!(lane.trim().parse::<u32>().is_ok(), "{lane}");
    assert!(
        said.contains("asks 0.021 GRAM for a million units"),
        "{said}"
    );
    assert_eq!(locked(&world).await, 500_000_000);

    let paying = ["--purse", "purse", "--lanes", "2", "--budget"];
    let (proxy, said, address) = world.proxy(&[&paying[..], &["0.9"]].concat()).await;
    assert!(
        said.contains("lanes 1 of 2 "),
        "what is there counts: {said}"
    );
    let answer = chat(address).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("x-chrysalis-price: 21000000\r\n"),
        "{answer}"
    );
    assert!(answer.contains("x-chrysalis-spent: 105\r\n"), "{answer}");
    drop(proxy);
    assert_eq!(locked(&world).await, 500_000_000);

    let (_proxy, said, address) = world.proxy(&[&paying[..], &["1.2"]].concat()).await;
    assert!(said.contains("lanes 2 of 2 "), "{said}");
    assert!(chat(address).await.starts_with("HTTP/1.1 200"));
    assert_eq!(locked(&world).await, 1_000_000_000);
}

#[tokio::test]
async fn a_purse_of_another_chain_pays_nobody() {
    let world = World::new().await;
    purse_of(&world).await;
    let toml = world.folder.path().join("purse/purse.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(
        &toml,
        text.replace(&format!("network = {LOCAL_ID}"), "network = -239"),
    )
    .unwrap();
    let words = [
        "proxy",
        "--listen",
        "127.0.0.1:0",
        "--allow-private",
        "--purse",
        "purse",
        "--budget",
        "1",
    ];
    let (code, _, said) = world.run(&[&words[..], &BOTH].concat()).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("the purse is on chain -239"), "{said}");
}
