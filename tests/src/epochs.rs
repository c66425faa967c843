//! An enclave whose GPU can turn bad; what a relying party asked of it; and the keys that it holds.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use chrysalis_attestation::evidence::{Evidence, claims::Claims};
use chrysalis_client::SavedSession;
use tempfile::TempDir;

use crate::{
    machine::{Machine, Plan, chrysalis, policy_for, text},
    memory::{Memory, PrivateKey},
    paths,
    proxy::Proxy,
};

/// What the relying party asked earlier, and nobody may find.
const CANARY: &str = "zanzibar-quokka-7719-canary";

/// What may become of a GPU: the name of the trouble, the reason that clients hear, and whether the enclave finds out as soon as it is
/// asked for evidence, and not only at the end of the epoch.
pub const TROUBLES: [(&str, &str, bool); 4] = [
    ("devtools", "measurement_mismatch", false),
    ("vanish", "gpu_evidence_missing", true),
    ("other-device", "gpu_changed", true),
    ("other-driver", "rim_version_mismatch", true),
];

/// The enclave and its relying party.
pub struct Scene {
    /// The provider's.
    pub machine: Machine,
    folder: TempDir,
    policy: PathBuf,
    point: Vec<u8>,
    receipt_key: [u8; 32],
}

/// The private halves of its keys, as they were found in its memory.
pub struct Keys {
    tls: PrivateKey,
    receipts: [u8; 32],
}

impl Scene {
    /// Boots with epochs of this length, verifies, and has one prompt answered.
    ///
    /// # Panics
    /// When it is not trusted, or does not answer.
    pub fn begin(plan: Plan, epoch: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let configuration = configuration(folder.path(), epoch);
        let policy = folder.path().join("policy.toml");
        fs::write(&policy, policy_for(&configuration)).expect("a policy");
        let trouble = trouble(folder.path());
        let plan = Plan {
            configuration,
            ..plan
        };
        let plan = plan.with("--simulated-gpu-trouble", &trouble.to_string_lossy());
        let machine = Machine::boot(&plan);
        let saved = folder.path().join("session.cbor");
        let (by, to) = (policy.to_string_lossy(), saved.to_string_lossy());
        let verify = ["verify", &machine.url(), "--policy", &by, "--save", &to];
        let output = chrysalis(&verify);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let saved = fs::read(&saved).expect("a session");
        let session = SavedSession::decode(&saved).expect("a session");
        let evidence = Evidence::decode(session.bundle()).expect("a bundle");
        let claims = Claims::decode(&evidence.claims).expect("claims");
        let spki = session.spki();
        let point = spki[spki.len() - 65..].to_vec();
        let chat = [
            "chat",
            &machine.url(),
            CANARY,
            "--max-tokens",
            "2",
            "--policy",
            &by,
        ];
        let output = chrysalis(&chat);
        assert!(output.status.success(), "{}", text(&output.stderr));
        Self {
            machine,
            folder,
            policy,
            point,
            receipt_key: claims.receipt_key,
        }
    }

    /// Two streams that have begun, so that one is always in the middle of an answer; each gives the last that did not end well.
    ///
    /// # Panics
    /// When they do not begin within five minutes.
    pub fn stream(&self) -> (Proxy, Vec<JoinHandle<String>>) {
        let proxy = Proxy::start(&self.machine.url(), &self.policy);
        let heard = ["first", "second"].map(|name| self.folder.path().join(name));
        let streams = heard.clone().map(|heard| {
            let address = proxy.address().to_owned();
            thread::spawn(move || {
                let mut last = stream(&address, &heard);
                while last.contains("[DONE]") {
                    last = stream(&address, &heard);
                }
                last
            })
        });
        let deadline = Instant::now() + Duration::from_mins(5);
        let begun =
            |heard: &PathBuf| fs::read_to_string(heard).is_ok_and(|heard| heard.contains("data: "));
        while !heard.iter().all(begun) {
            assert!(Instant::now() < deadline, "no stream\n{}", proxy.log());
            thread::sleep(Duration::from_millis(20));
        }
        (proxy, streams.into())
    }

    /// Finds the private keys, by the public ones alone.
    ///
    /// # Panics
    /// When they are not there: then the search would prove nothing.
    pub fn keys(&self, memory: &Memory) -> Keys {
        let tls = memory
            .p256_key(&self.point)
            .expect("the key of TLS is in memory");
        let receipts = memory.ed25519_scalar(&self.receipt_key);
        let receipts = receipts.expect("the key of receipts is in memory");
        assert_ne!(memory.count(&tls.forms[0]), 0);
        assert_ne!(memory.count(&receipts), 0);
        Keys { tls, receipts }
    }

    /// A stranger asks for evidence, and so the GPU is asked at once.
    pub fn ask(&self) {
        chrysalis(&[
            "verify",
            &self.machine.url(),
            "--policy",
            &self.policy.to_string_lossy(),
        ]);
    }

    /// The GPU gets into this trouble. It is noticed when somebody asks for evidence, and at the end of the epoch.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn turn_bad(&self, to: &str) {
        fs::write(trouble(self.folder.path()), to).expect("trouble");
    }
}

impl Keys {
    /// Nothing of them is left, nor of the prompt.
    ///
    /// # Panics
    /// When something is.
    pub fn assert_gone(&self, memory: &Memory) {
        let left: Vec<usize> = self
            .tls
            .forms
            .iter()
            .map(|form| memory.count(form))
            .collect();
        assert_eq!(left, [0, 0, 0], "the key of TLS");
        assert_eq!(memory.count(&self.receipts), 0, "the key of receipts");
        let prompts = memory.around(CANARY.as_bytes());
        assert!(prompts.is_empty(), "earlier prompts: {prompts:#?}");
    }
}

/// At least one of the streams ended with this reason.
///
/// # Panics
/// When none did.
pub fn assert_named(streams: Vec<JoinHandle<String>>, reason: &str) {
    let ended = streams
        .into_iter()
        .map(|stream| stream.join().expect("a stream"));
    let ended: Vec<String> = ended.collect();
    let named = |text: &String| text.contains("trust_ended") && text.contains(reason);
    assert!(ended.iter().any(named), "{reason}: {ended:?}");
}

fn trouble(folder: &Path) -> PathBuf {
    folder.join("trouble")
}

/// The released configuration with epochs of this length.
fn configuration(folder: &Path, epoch: Duration) -> PathBuf {
    let released = fs::read_to_string(paths::configuration()).expect("a configuration");
    let lines = released.lines();
    let mut skipping = false;
    let mut kept: Vec<&str> = Vec::new();
    for line in lines {
        if line.starts_with('[') {
            skipping = line == "[epoch]";
        }
        if !skipping {
            kept.push(line);
        }
    }
    let text = format!(
        "{}\n\n[epoch]\nseconds = {}\n",
        kept.join("\n"),
        epoch.as_secs()
    );
    let path = folder.join("configuration.toml");
    fs::write(&path, text).expect("a configuration");
    path
}

/// Streams an answer as long as there may be into a file; what came, and what curl says of it.
fn stream(proxy: &str, heard: &Path) -> String {
    let url = format!("http://{proxy}/v1/chat/completions");
    let body = r#"{"model":"smollm2-135m-instruct","stream":true,"max_tokens":1500,"temperature":1.5,
        "messages":[{"role":"user","content":"Count from one to five hundred in words."}]}"#;
    let mut curl = Command::new("curl");
    let json = "content-type: application/json";
    curl.args(["-sSN", "--max-time", "900", &url, "-H", json, "-d", body]);
    let output = curl.arg("-o").arg(heard).output().expect("curl");
    fs::read_to_string(heard).unwrap_or_default() + &text(&output.stderr)
}
