//! Signed releases, and the log that they are in.

use std::collections::BTreeMap;

use chrysalis_attestation::{
    Time,
    encoding::digest::{Hex, sha256},
    release::{
        Checkpoint, Development, Envelope, Growth, Hash, Inclusion, Measurements, PublicKey,
        Rebuild, Release, SnpMeasurement, Subject, leaf_hash,
    },
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::NOW;
use crate::vector::{Common, Tree, Vector};

pub(super) const KIND: &str = "release";
pub(super) const DAY: i64 = 24 * 3600;
pub(super) const ORIGIN: &str = "log.example/releases";
pub(super) const PROJECT: &str = "releases.example";
/// What comes before the bytes of an Ed25519 key (RFC 8410 §4).
const ED25519: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The signer.
pub(super) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(super) fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed"))
    }

    pub(super) fn publisher() -> Self {
        Self::new(0xD1)
    }

    pub(super) fn log() -> Self {
        Self::new(0xD2)
    }

    /// The development key: its private half is in this repository.
    pub(super) fn development() -> Self {
        let file = include_str!("../../../../measurements/releases/development/root.pem");
        let text: String = file
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let der = data_encoding::BASE64.decode(text.as_bytes()).expect("PEM");
        Self(Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).expect("an Ed25519 key"))
    }

    pub(super) fn key(&self) -> PublicKey {
        let spki = [&ED25519[..], self.0.public_key().as_ref()].concat();
        PublicKey::from_spki_with(&spki, Development::Named).expect("a key")
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }

    pub(super) fn seal(&self, envelope: Envelope) -> Vec<u8> {
        let signature = self.sign(&envelope.to_be_signed());
        let sealed = envelope.with_signature(&self.key(), signature);
        sealed.to_json().into_bytes()
    }
}

pub(super) fn files() -> Vec<Subject> {
    vec![
        Subject::new("kernel", [1; 32]),
        Subject::new("initrd", [2; 32]),
    ]
}

pub(super) fn release(epoch: u64) -> Release {
    Release {
        project: Some(PROJECT.to_owned()),
        release: format!("v1.2.{epoch}"),
        epoch,
        issued: Time(NOW.0 - DAY),
        expires: Time(NOW.0 + DAY),
        inputs: Vec::new(),
        toolchain: None,
        measurements: measurements(),
        minimum_tcb: BTreeMap::new(),
    }
}

pub(super) fn measurements() -> Measurements {
    Measurements {
        snp: vec![SnpMeasurement {
            vcpus: 2,
            cpu: "EPYC-v4".to_owned(),
            guest_features: 1,
            simulated: false,
            launch_digest: Hex([0xD1; 48]),
        }],
        tdx: Vec::new(),
    }
}

fn manifest(epoch: u64) -> Vec<u8> {
    Signer::publisher().seal(release(epoch).envelope(files()))
}

/// A manifest that is not as it was signed, or not what a manifest is.
#[rustfmt::skip]
fn lies() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let publisher = Signer::publisher();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("JSON");
    let of_another_message = publisher.sign(b"another message");
    let rebuild = Rebuild { release: "v1.2.7".to_owned(), rebuilt: NOW, toolchain: None, measurements: measurements() };
    vec![
        ("envelope_malformed", "the envelope has a field that nobody knows", text(manifest(7)).replacen('{', r#"{"trust":"me","#, 1).into_bytes()),
        ("envelope_payload_type", "the payload is of another type", text(manifest(7)).replace("application/vnd.in-toto+json", "text/plain").into_bytes()),
        ("envelope_unsigned", "nobody signed", release(7).envelope(files()).to_json().into_bytes()),
        ("envelope_signature", "the signature is of another message", {
            let envelope = release(7).envelope(files());
            envelope.with_signature(&publisher.key(), of_another_message).to_json().into_bytes()
        }),
        ("envelope_key_unknown", "somebody else signed", Signer::new(0xD3).seal(release(7).envelope(files()))),
        ("statement_malformed", "the release expires before it is issued", {
            publisher.seal(Release { expires: release(7).issued, ..release(7) }.envelope(files()))
        }),
        ("statement_type", "a rebuild statement stands in for the manifest", publisher.seal(rebuild.envelope(files()))),
        ("release_project", "the release is of another project", publisher.seal(Release { project: Some("other.example".to_owned()), ..release(7) }.envelope(files()))),
        ("release_not_yet_valid", "the release is issued in a second", {
            publisher.seal(Release { issued: Time(NOW.0 + 1), ..release(7) }.envelope(files()))
        }),
        ("release_expired", "the release has just ended", publisher.seal(Release { expires: NOW, ..release(7) }.envelope(files()))),
    ]
}

/// A log of up to two entries, as it is served: its hashes by RFC 6962.
#[derive(Clone)]
struct Log {
    entries: Vec<Vec<u8>>,
    /// Whether it shows how it grew.
    growth: bool,
}

impl Log {
    fn of(entries: &[&[u8]]) -> Self {
        let entries = entries.iter().map(|it| it.to_vec()).collect();
        Self {
            entries,
            growth: true,
        }
    }

    fn root(&self) -> Hash {
        match &self.entries[..] {
            [one] => leaf_hash(one),
            [one, two] => sha256(&[&[1], &leaf_hash(one), &leaf_hash(two)]),
            _ => panic!("a log of one or two"),
        }
    }

    fn note(&self) -> String {
        let (size, root) = (self.entries.len() as u64, Hex(self.root()));
        let checkpoint = Checkpoint {
            origin: ORIGIN.to_owned(),
            size,
            root,
        };
        let log = Signer::log();
        let signature = log.sign(checkpoint.to_be_signed().as_bytes());
        checkpoint.note(&log.key(), &signature).expect("a note")
    }

    /// The proof of an entry: the other leaf is its whole path.
    fn proof(&self, index: usize) -> String {
        let other = self.entries.get(1 - index);
        let inclusion = Inclusion {
            index: index as u64,
            path: other.iter().map(|it| leaf_hash(it)).collect(),
            checkpoint: self.note(),
        };
        inclusion.to_text()
    }

    /// The folder, without the files that `release verify` does not look at.
    fn folder(&self, entry: &[u8]) -> Tree {
        let index = self
            .entries
            .iter()
            .position(|it| it == entry)
            .expect("an entry");
        let mut tree = Tree::new();
        let name = format!("proofs/{}.tlog-proof", hex::encode(leaf_hash(entry)));
        tree.insert(name, self.proof(index).into());
        if let ([_, second], true) = (&self.entries[..], self.growth) {
            let growth = Growth {
                old: 1,
                path: vec![leaf_hash(second)],
                checkpoint: self.note(),
            };
            tree.insert("consistency/1".to_owned(), growth.to_text().into());
        }
        tree
    }
}

/// The folder with its proof changed.
fn changed(change: impl FnOnce(&str) -> String) -> Tree {
    let manifest = manifest(7);
    let mut tree = Log::of(&[&manifest, b"another"]).folder(&manifest);
    let proof = tree.values_mut().last().expect("a proof");
    let text = str::from_utf8(proof).expect("text");
    let other = change(text);
    assert_ne!(other, text, "nothing was changed");
    *proof = other.into_bytes();
    tree
}

fn asked(vector: Vector, manifest: Vec<u8>) -> Vector {
    let key = Signer::publisher().key().spki();
    vector
        .file("manifest", "manifest.json", manifest)
        .file("key", "key.der", key)
        .with("project", PROJECT)
}

fn logged(vector: Vector, log: &Tree) -> Vector {
    let vector = vector.folder("log", "log", log);
    vector.file("log_key", "log-key.der", Signer::log().key().spki())
}

pub(super) fn rejected(code: &str, shows: &str) -> Vector {
    Vector::rejected(KIND, code, shows, NOW)
}

pub(super) fn vectors(common: &mut Common) -> Vec<Vector> {
    let key = |signer: Signer| signer.key().spki();
    common.insert("release/manifest.json".to_owned(), manifest(7));
    common.insert("release/key.der".to_owned(), key(Signer::publisher()));
    common.insert("release/log-key.der".to_owned(), key(Signer::log()));
    let current = |name, shows| {
        let claims = json!({"release": "v1.2.7", "epoch": 7});
        Vector::accepted(KIND, name, shows, NOW, ("current", claims))
    };
    let manifest = manifest(7);
    let honest = Log::of(&[&manifest, b"another"]).folder(&manifest);
    let in_log = asked(
        current("in-a-log", "the release is in a log"),
        manifest.clone(),
    );
    let mut vectors = vec![
        asked(current("honest", "nobody lies"), manifest.clone()),
        logged(in_log, &honest),
    ];
    vectors.extend(
        lies()
            .into_iter()
            .map(|(code, shows, manifest)| asked(rejected(code, shows), manifest)),
    );
    let shows = "the key is no public key";
    let no_key =
        rejected("release_key_malformed", shows).file("manifest", "manifest.json", manifest);
    vectors.push(no_key.file("key", "key.pem", b"not a key\n".to_vec()));
    vectors.extend(remembered());
    vectors.extend(logs());
    vectors
}

/// What was verified before by the same relying party.
fn seen(manifest: &str, log: Option<&str>) -> Value {
    match log {
        Some(log) => json!([{"manifest": manifest, "log": log}]),
        None => json!([{"manifest": manifest}]),
    }
}

fn remembered() -> Vec<Vector> {
    let other = Release {
        release: "v1.2.7-again".to_owned(),
        ..release(7)
    };
    let other = Signer::publisher().seal(other.envelope(files()));
    let beside = |bytes: Vec<u8>| Tree::from([("manifest.json".to_owned(), bytes)]);
    let shows = "a newer release was seen before";
    let back = rejected("release_rolled_back", shows).beside("seen", &beside(manifest(8)));
    let shows = "another release of this epoch was seen before";
    let twice = rejected("release_epoch_reused", shows).beside("seen", &beside(other));
    let another = Signer::new(0xD3);
    let newer = another.seal(release(8).envelope(files()));
    let shows = "a newer release was seen before, which another key signed";
    let elsewhere = rejected("release_rolled_back another-key", shows)
        .beside("seen", &beside(newer))
        .file("", "seen/key.der", another.key().spki());
    let seen = || seen("seen/manifest.json", None);
    let by_another = json!([{"manifest": "seen/manifest.json", "key": "seen/key.der"}]);
    let mut vectors: Vec<_> = [back, twice]
        .map(|vector| asked(vector, manifest(7)).with("seen", seen()))
        .into();
    vectors.push(asked(elsewhere, manifest(7)).with("seen", by_another));
    vectors
}

#[rustfmt::skip]
fn logs() -> Vec<Vector> {
    let manifest = manifest(7);
    let mut vectors = Vec::new();
    for (code, shows, folder) in [
        ("checkpoint_malformed", "the checkpoint's size has a leading zero", changed(|it| it.replacen("\n2\n", "\n02\n", 1))),
        ("checkpoint_signature", "the checkpoint's size was changed", changed(|it| it.replacen("\n2\n", "\n3\n", 1))),
        ("log_proof_malformed", "the proof is of another version", changed(|it| it.replacen("@v1", "@v2", 1))),
        ("log_proof_mismatch", "the proof is of another entry", changed(|it| it.replacen("index 0", "index 1", 1))),
    ] {
        vectors.push(logged(asked(rejected(code, shows), manifest.clone()), &folder));
    }
    let honest = Log::of(&[&manifest, b"another"]);
    let unsigned = asked(rejected("checkpoint_unsigned", "another log signed the checkpoint"), manifest.clone());
    let unsigned = unsigned.folder("log", "log", &honest.folder(&manifest));
    vectors.push(unsigned.file("log_key", "another-key.der", Signer::new(0xD3).key().spki()));
    let young = Log::of(&[&manifest]);
    let forked = Log::of(&[&manifest, b"rewritten"]);
    let silent = Log { growth: false, ..honest.clone() };
    for (code, shows, before, now) in [
        ("log_shrunk", "the log had an entry more", &honest, &young),
        ("log_growth_missing", "nothing shows how the log grew", &young, &silent),
        ("log_forked", "the log has another entry than before", &honest, &forked),
    ] {
        let vector = asked(rejected(code, shows), manifest.clone());
        let vector = logged(vector, &now.folder(&manifest)).beside("seen/log", &before.folder(&manifest));
        vectors.push(vector.with("seen", seen("../../common/release/manifest.json", Some("seen/log"))));
    }
    vectors
}
