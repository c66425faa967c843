//! What a run is started with: the operator's key, the network's descriptor, and options that fit together.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use chrysalis_attestation::{
    encoding::pem,
    release::{Envelope, PublicKey},
};
use chrysalis_wire::configuration::Payment;

use super::*;
use crate::{
    cashier::options::{LaneOptions, PaymentOptions},
    listing::{check_endpoints, descriptor as file, options::NetworkOptions, payee},
};

/// What comes before the seed in PKCS #8 (RFC 8410 §7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A private key in a file, which only its owner can read.
pub(super) fn key(folder: &Path, seed: u8) -> PathBuf {
    let path = folder.join("operator.pem");
    let der = [&PKCS8[..], &[seed; 32]].concat();
    fs::write(&path, pem::block("PRIVATE KEY", &der)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn refused<T>(read: anyhow::Result<T>, what: &str) {
    let refused = format!(
        "{:#}",
        read.err().unwrap_or_else(|| panic!("taken: {what}"))
    );
    assert!(
        refused.contains(what) && refused.contains("hint: "),
        "{refused}"
    );
}

#[test]
fn an_operators_key_is_private_and_needs_nobody_to_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = key(folder.path(), 9);
    assert_eq!(Operator::read(&path).unwrap().key(), Key::new(9).public());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    refused(Operator::read(&path), "others can read");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for (label, der, what) in [
        ("ENCRYPTED PRIVATE KEY", vec![0x30], "has a passphrase"),
        ("PRIVATE KEY", vec![0x30], "no Ed25519 key"),
        ("PUBLIC KEY", vec![0x30], "no operator's key"),
    ] {
        fs::write(&path, pem::block(label, &der)).unwrap();
        refused(Operator::read(&path), what);
    }
    fs::write(&path, vec![b'x'; 20_000]).unwrap();
    refused(Operator::read(&path), "no operator's key");
    refused(Operator::read(Path::new("/nowhere.pem")), "cannot read");
}

/// A folder with a network's keys and descriptors.
struct Room {
    folder: tempfile::TempDir,
    options: NetworkOptions,
}

impl Room {
    fn new(keys: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = NetworkOptions::default();
        for seed in 1..=keys {
            let path = folder.path().join(format!("{seed}.pub"));
            let public = public(seed);
            fs::write(&path, pem::block("PUBLIC KEY", &public.spki())).unwrap();
            options.network_keys.push(path);
        }
        Self { folder, options }
    }

    /// Reads a descriptor that these keys have signed, at this time.
    fn read(&self, text: &str, signers: &[u8], now: &str) -> anyhow::Result<Descriptor> {
        let mut envelope = Descriptor::envelope(text.as_bytes().to_vec()).unwrap();
        for seed in signers {
            let signature = Key::new(*seed).0.sign(&envelope.to_be_signed());
            envelope = envelope.with_signature(&public(*seed), signature.as_ref().to_vec());
        }
        self.open(&envelope, now)
    }

    fn open(&self, envelope: &Envelope, now: &str) -> anyhow::Result<Descriptor> {
        let path = self.folder.path().join("network.json");
        fs::write(&path, envelope.to_json()).unwrap();
        let now = serde_json::from_value(now.into()).unwrap();
        let seen = self.folder.path().join(file::SEEN);
        let source = path.display().to_string();
        file::read(&self.options, &source, &seen, &Http::new(), now)
    }
}

fn public(seed: u8) -> PublicKey {
    PublicKey::from_ed25519(Key::new(seed).public()).unwrap()
}

const NOW: &str = "2026-12-01T00:00:00Z";

fn good() -> String {
    let url = "https://directory.example".to_owned();
    descriptor(&[url], "2027-06-01T00:00:00Z")
}

#[test]
fn a_network_counts_once_enough_of_the_named_keys_signed_it() {
    let mut room = Room::new(3);
    let good = good();
    assert_eq!(room.read(&good, &[1, 2, 3], NOW).unwrap().version, 3);
    refused(room.read(&good, &[1, 2], NOW), "2 of the named keys signed");
    room.options.network_at_least = Some(2);
    room.read(&good, &[1, 2], NOW).unwrap();
    refused(room.read(&good, &[1, 9], NOW), "1 of the named keys signed");
    for wrong in [0, 4] {
        room.options.network_at_least = Some(wrong);
        refused(room.read(&good, &[1, 2, 3], NOW), "is not 1 to 3");
    }
}

#[test]
fn an_older_descriptor_or_a_second_one_is_refused_after_a_restart() {
    let room = Room::new(1);
    let good = good();
    room.read(&good, &[1], NOW).unwrap();
    let older = good.replace("version = 3", "version = 2");
    refused(room.read(&older, &[1], NOW), "version 3 was seen before");
    let second = good.replace("tiny", "tiny-too");
    refused(room.read(&second, &[1], NOW), "another descriptor");
    let newer = good.replace("version = 3", "version = 4");
    room.read(&newer, &[1], NOW).unwrap();
    refused(room.read(&good, &[1], NOW), "version 4 was seen before");
    fs::write(room.folder.path().join(file::SEEN), "{").unwrap();
    refused(room.read(&newer, &[1], NOW), "does not say which");
}

#[test]
fn a_network_that_is_over_or_asked_in_the_clear_is_refused() {
    let mut room = Room::new(1);
    refused(room.read(&good(), &[1], "2027-06-01T00:00:00Z"), "expired");
    let clear = good().replace("https://directory.example", "http://directory.example");
    refused(room.read(&clear, &[1], NOW), "without TLS");
    room.options.allow_private = true;
    room.read(&clear, &[1], NOW).unwrap();
    room.options.allow_private = false;
    for inside in [
        "http://127.0.0.1:8090",
        "http://[::1]:8090",
        "http://localhost",
    ] {
        let inside = good()
            .replace("https://directory.example", inside)
            .replace("network.example", &format!("n{}", inside.len()));
        room.read(&inside, &[1], NOW).unwrap();
    }
    refused(
        file::read(
            &room.options,
            "/nowhere.json",
            Path::new("/nowhere"),
            &Http::new(),
            chrysalis_attestation::Time(0),
        ),
        "cannot read the descriptor",
    );
    let url = "http://127.0.0.1:9/network";
    refused(
        file::read(
            &room.options,
            url,
            Path::new("/nowhere"),
            &Http::new(),
            chrysalis_attestation::Time(0),
        ),
        "cannot get the descriptor",
    );
}

#[test]
fn addresses_are_public_and_each_is_there_once() {
    let mut options = NetworkOptions::default();
    let endpoint = |text: &str| Endpoint::parse(text).unwrap();
    options.endpoints = vec![endpoint("llm.example:443")];
    check_endpoints(&options).unwrap();
    options.endpoints = vec![endpoint("llm.example:443"); 2];
    refused(check_endpoints(&options), "each once");
    options.endpoints = (1..=5)
        .map(|at| endpoint(&format!("llm.example:{at}")))
        .collect();
    refused(check_endpoints(&options), "1 to 4");
    options.endpoints = vec![endpoint("127.0.0.1:443")];
    refused(check_endpoints(&options), "--allow-private");
    options.allow_private = true;
    check_endpoints(&options).unwrap();
}

#[test]
fn a_listing_names_who_is_paid_unless_it_is_free() {
    let account = |workchain, fill| chrysalis_chain::Address::new(workchain, [fill; 32].into());
    let mut options = PaymentOptions {
        payee: None,
        chain: Vec::new(),
        chain_key_file: Vec::new(),
        floor: None,
        lanes: LaneOptions {
            lane_min: 0,
            delay_min: 0,
        },
        cashier: None,
        fleet_cashier: None,
        fleet_secret_file: None,
    };
    assert_eq!(payee(Payment::None, &options).unwrap(), None);
    refused(payee(Payment::Required, &options), "--payee");
    refused(payee(Payment::Optional, &options), "--payee");
    options.payee = Some(account(0, 7));
    assert_eq!(payee(Payment::Required, &options).unwrap(), Some([7; 32]));
    assert_eq!(payee(Payment::None, &options).unwrap(), None);
    options.payee = Some(account(-1, 7));
    refused(payee(Payment::Required, &options), "workchain 0");
}
