//! `chrysalis pay`, from an empty folder to the money's way home, on a local chain.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails its test"
)]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

const HOME: &str = "0:7777777777777777777777777777777777777777777777777777777777777777";
const PAYEE: &str = "0:5555555555555555555555555555555555555555555555555555555555555555";
const PASSPHRASE: &str = "six words drawn at random, say";

/// A chain of its own, and a folder.
struct World {
    chain: SocketAddr,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        // Weeks ahead of this machine's clock: nothing goes by that one.
        let chain = chrysalis_localnet::start(1_800_000_000).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("passphrase"), PASSPHRASE).unwrap();
        Self { chain, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn post(&self, path: &str, body: &Value) {
        let body = body.to_string();
        let mut stream = TcpStream::connect(self.chain).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Its exit code, what it printed and what it said.
    fn pay(&self, words: &str) -> (i32, String, String) {
        let mut words: Vec<_> = words.split(' ').collect();
        words.insert(1, "--purse");
        words.insert(2, "purse");
        let mut command = Command::new(env!("CARGO_BIN_EXE_chrysalis"));
        let command = command.arg("pay").args(&words);
        let output = command.current_dir(self.folder.path()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let said = (text(output.stdout), text(output.stderr));
        assert!(!format!("{said:?}").contains("PRIVATE KEY"));
        (output.status.code().unwrap(), said.0, said.1)
    }

    #[track_caller]
    fn yes(&self, words: &str) -> String {
        let (code, out, err) = self.pay(words);
        assert_eq!(code, 0, "{words}: {err}");
        out
    }

    /// It is refused, and says this.
    #[track_caller]
    fn no(&self, words: &str, says: &str) {
        let (code, out, err) = self.pay(words);
        assert_eq!((code, out.as_str()), (2, ""), "{words}: {err}");
        assert!(
            err.contains(says) && err.contains("hint: "),
            "{words}: {err}"
        );
    }

    fn init(&self) -> String {
        let chain = self.chain;
        let made = self.yes(&format!(
            "init --home {HOME} --chain http://{chain}/api/v2 --passphrase-file passphrase"
        ));
        let made = made.trim().to_owned();
        self.post(
            "/faucet",
            &json!({"address": made, "nano": 3_000_000_000_u64}),
        );
        made
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.yes("status --json")).unwrap()
    }

    /// Locks half a coin.
    fn lock(&self) -> u32 {
        let lane = self.yes(&format!("lock {PAYEE} 0.5 --passphrase-file passphrase"));
        lane.trim().parse().unwrap()
    }
}

fn mode(path: &PathBuf) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn money_goes_in_is_locked_and_comes_home() {
    let world = World::new();
    let made = world.init();
    let shown = world.yes("address --amount 3");
    assert!(shown.contains(&made), "{shown}");
    assert!(shown.contains("?amount=3000000000"), "{shown}");
    assert!(
        world
            .yes("status")
            .contains("3 GRAM; no lane was ever locked")
    );
    assert!(
        world
            .yes("status")
            .contains("LOCAL, nothing on it is worth anything")
    );

    let lane = world.lock();
    for private in ["purse/owner.pem", &format!("purse/lanes/{lane}.pem")] {
        assert_eq!(mode(&world.path(private)), 0o600, "{private}");
    }
    let owner = fs::read_to_string(world.path("purse/owner.pem")).unwrap();
    assert!(owner.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    let status = world.status();
    assert_eq!(status["owed"], 500_000_000);
    assert_eq!(status["lanes"][0]["locked"], 500_000_000);
    assert_eq!(status["lanes"][0]["key_here"], true);
    let more = format!("lock {PAYEE} 0.25 --lane {lane} --passphrase-file passphrase");
    assert!(world.yes(&more).contains("0.25 GRAM more"));
    assert_eq!(world.status()["lanes"][0]["locked"], 750_000_000);

    let (free, close) = (format!("free {lane}"), format!("close {lane}"));
    let by = " --passphrase-file passphrase";
    world.no(&format!("{free}{by}"), "exit code 411");
    let closes = world.yes(&format!("{close}{by}"));
    assert!(
        closes.contains(&format!("`chrysalis pay free {lane}`")),
        "{closes}"
    );
    world.no(&format!("{close}{by}"), "exit code 410");
    world.no(&format!("{free}{by}"), "exit code 411");
    world.post("/clock", &json!({"by": 21_600}));
    assert!(world.yes("status").contains("closed; free it with"));
    assert!(world.yes(&format!("{free}{by}")).contains("is gone"));
    world.no(&format!("withdraw 2.999{by}"), "exit code 4");
    world.yes(&format!("withdraw 2{by}"));
    let status = world.status();
    assert_eq!(status["lanes"], json!([]));
    assert!(status["rent_a_year"].as_u64() > Some(0));
    assert_eq!(status["rent_lasts"], true);
}

#[test]
fn what_cannot_be_done_says_why_and_changes_nothing() {
    let world = World::new();
    world.no("status", "there is no purse in purse");
    let chain = world.chain;
    let (code, _, error) = world.pay(&format!(
        "init --home UQshort --chain http://{chain}/api/v2"
    ));
    assert!(
        code == 2 && error.contains("UQshort is no address"),
        "{error}"
    );
    assert!(!world.path("purse").exists());
    world.init();
    let again = format!("init --home {HOME} --chain http://{chain}/api/v2 --no-passphrase");
    world.no(&again, "owner.pem is there already");
    let (code, _, error) = world.pay(&format!("lock {PAYEE} half"));
    assert!(code == 2 && error.contains("half is no amount"), "{error}");
    fs::write(world.path("wrong"), "another passphrase altogether").unwrap();
    world.no(
        &format!("lock {PAYEE} 0.5 --passphrase-file wrong"),
        "does not open",
    );
    let by = "--passphrase-file passphrase";
    world.no(&format!("lock {PAYEE} 5 {by}"), "exit code 406");
    world.no(
        &format!("lock {PAYEE} 0.5 --lane 7 {by}"),
        "there is no lane 7",
    );
    world.no(
        &format!("lock {PAYEE} 0.5 --close-delay 5m {by}"),
        "exit code 407",
    );
    world.no(&format!("close 7 {by}"), "exit code 404");
    assert_eq!(world.status()["balance"], 3_000_000_000_u64);
    // Another owner's key beside this purse.
    let other = World::new();
    other.init();
    fs::copy(other.path("purse/owner.pem"), world.path("purse/owner.pem")).unwrap();
    world.no(
        &format!("lock {PAYEE} 0.5 {by}"),
        "is not the key of this purse",
    );
}

#[test]
fn an_empty_purse_says_where_money_has_to_go() {
    let world = World::new();
    let chain = world.chain;
    let made = world.yes(&format!(
        "init --home {HOME} --chain http://{chain}/api/v2 --no-passphrase"
    ));
    let owner = fs::read_to_string(world.path("purse/owner.pem")).unwrap();
    assert!(owner.starts_with("-----BEGIN PRIVATE KEY-----"));
    assert_eq!(mode(&world.path("purse/owner.pem")), 0o600);
    world.no(&format!("lock {PAYEE} 0.5"), made.trim());
}

#[test]
fn a_lane_whose_number_was_not_seen_is_found_again() {
    let world = World::new();
    world.init();
    let lane = world.lock();
    // As if the command had been killed before it knew the number.
    let key = world.path(&format!("purse/lanes/{lane}.pem"));
    fs::rename(&key, world.path("purse/lanes/next.pem")).unwrap();
    assert!(world.yes("status").contains("open\n"));
    assert!(key.exists());
    fs::remove_file(&key).unwrap();
    assert!(world.yes("status").contains("open, its key is not here"));
}

#[test]
fn a_chain_that_is_down_or_is_none_is_told() {
    let world = World::new();
    world.init();
    let file = world.path("purse/purse.toml");
    let written = fs::read_to_string(&file).unwrap();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let elsewhere = written.replace(&world.chain.to_string(), &free.to_string());
    fs::write(&file, elsewhere).unwrap();
    world.no("status", "chain_unreachable");
    fs::write(&file, written.replace("/api/v2", "/faucet")).unwrap();
    world.no("status", "chain_malformed");
    fs::write(&file, format!("{written}more = 1\n")).unwrap();
    let (code, _, error) = world.pay("status");
    assert!(code == 2 && error.contains("purse.toml"), "{error}");
}
