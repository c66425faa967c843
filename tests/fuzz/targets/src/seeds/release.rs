//! Seeds of what is signed about images, and of the log that it may sit in.

use std::collections::BTreeMap;

use chrysalis_attestation::{
    Time,
    encoding::{
        digest::{Hex, sha256},
        pem,
    },
    release::{
        Checkpoint, Endorsement, Envelope, Growth, Inclusion, Input, KeyStatement, MachineEvent,
        Measured, Measurements, PublicKey, Rebuild, Release, RevokedKey, Role, SnpMeasurement,
        Subject, TdxMeasurement, Toolchain, VouchedKey, leaf_hash,
    },
};

use super::{NOW, Seed, seed};
use crate::{
    parts,
    targets::release::{MEASURED, PROJECT, key, root_of_seeds, seal, sign},
};

const DAY: i64 = 24 * 3600;
const ORIGIN: &str = "releases.example/log";

pub(super) fn seeds() -> Vec<Seed> {
    let (release, rebuild) = (release(), rebuild());
    let payload = |sealed: &[u8]| {
        let envelope = Envelope::parse(sealed).expect("it was just sealed");
        let payload = envelope.payload_signed_by(&key());
        payload.expect("it was just signed").to_vec()
    };
    let spki = key().spki();
    let pem = pem::block("PUBLIC KEY", &spki);
    let mut seeds = vec![
        seed("envelope", "release", release.clone()),
        seed("envelope", "rebuild", rebuild.clone()),
        seed("statement", "release", payload(&release)),
        seed("statement", "rebuild", payload(&rebuild)),
        seed("statement", "endorsement", payload(&endorsement())),
        seed("root_statement", "envelope", root_of_seeds()),
        seed("root_statement", "payload", inside(&root_of_seeds())),
        seed("key_statement", "payload", inside(&key_statement())),
        seed("release_key", "der", spki),
        seed("release_key", "pem", pem),
    ];
    seeds.extend(log(&release, &rebuild));
    seeds
}

/// The payload of an envelope, whatever its type.
fn inside(sealed: &[u8]) -> Vec<u8> {
    let signed = Envelope::parse(sealed).expect("an envelope").to_be_signed();
    // Type and payload stand in it with their lengths, each behind a space.
    let parts = signed.splitn(5, |byte| *byte == b' ');
    parts.last().unwrap_or_default().to_vec()
}

fn key_statement() -> Vec<u8> {
    let statement = KeyStatement {
        project: PROJECT.to_owned(),
        version: 3,
        issued: Time(NOW.0 - DAY),
        expires: Time(NOW.0 + DAY),
        keys: vec![VouchedKey {
            role: Role::Release,
            key: PublicKey::from_ed25519([9; 32]).expect("a key"),
            not_before: NOW,
            expires: Time(NOW.0 + DAY),
        }],
        revoked: vec![RevokedKey {
            key: Hex([8; 32]),
            since: NOW,
            why: "lost".to_owned(),
        }],
    };
    seal(statement.envelope())
}

fn measurements() -> Measurements {
    let Measured::Snp { launch_digest } = MEASURED else {
        return Measurements::default();
    };
    Measurements {
        snp: vec![SnpMeasurement {
            vcpus: 2,
            cpu: "EPYC-v4".to_owned(),
            guest_features: 1,
            simulated: false,
            launch_digest,
        }],
        tdx: vec![TdxMeasurement {
            simulated: true,
            mrtd: Hex([6; 48]),
            rtmr1: Hex([7; 48]),
            rtmr2: Hex([8; 48]),
            rtmr0: vec![MachineEvent {
                name: "memory map".to_owned(),
                digest: None,
            }],
        }],
    }
}

fn toolchain() -> Toolchain {
    Toolchain {
        rustc: "1.95.0".to_owned(),
        c_compiler: "gcc".to_owned(),
        c_library: Hex([9; 32]),
    }
}

fn files() -> Vec<Subject> {
    vec![
        Subject::new("kernel", [1; 32]),
        Subject::new("initrd", [2; 32]),
    ]
}

fn release() -> Vec<u8> {
    let release = Release {
        project: Some(PROJECT.to_owned()),
        release: "v1.2.3".to_owned(),
        epoch: 7,
        issued: Time(NOW.0 - DAY),
        expires: Time(NOW.0 + DAY),
        inputs: vec![Input {
            name: "kernel".to_owned(),
            package: "linux".to_owned(),
            version: "6.12".to_owned(),
            sha256: Hex([3; 32]),
        }],
        toolchain: Some(toolchain()),
        measurements: measurements(),
        minimum_tcb: BTreeMap::new(),
    };
    seal(release.envelope(files()))
}

fn rebuild() -> Vec<u8> {
    let rebuild = Rebuild {
        release: "v1.2.3".to_owned(),
        rebuilt: NOW,
        toolchain: Some(toolchain()),
        measurements: measurements(),
    };
    seal(rebuild.envelope(files()))
}

fn endorsement() -> Vec<u8> {
    let endorsement = Endorsement {
        project: PROJECT.to_owned(),
        release: "v1.2.3".to_owned(),
        epoch: 7,
        issued: NOW,
        until: Time(NOW.0 + 14 * DAY),
        measurements: measurements(),
    };
    seal(endorsement.envelope(files()))
}

/// A log of these two entries: its head, that each is in it, and that it grew from the first.
fn log(first: &[u8], second: &[u8]) -> Vec<Seed> {
    let leaves = [first, second].map(leaf_hash);
    let [left, right] = leaves;
    let root = sha256(&[&[1], &left, &right]);
    let note = |size, root| {
        let checkpoint = Checkpoint {
            origin: ORIGIN.to_owned(),
            size,
            root: Hex(root),
        };
        let signature = sign(checkpoint.to_be_signed().as_bytes());
        let note = checkpoint.note(&key(), &signature);
        note.expect("a key of Ed25519 signs notes")
    };
    let inclusion = |index, sibling| Inclusion {
        index,
        path: vec![sibling],
        checkpoint: note(2, root),
    };
    let growth = Growth {
        old: 1,
        path: vec![right],
        checkpoint: note(2, root),
    };
    let with = |entry: &[u8], proof: &str| parts::join(&[entry, proof.as_bytes()]);
    vec![
        seed("checkpoint", "one", note(1, left)),
        seed("checkpoint", "two", note(2, root)),
        seed(
            "log_proof",
            "first",
            with(first, &inclusion(0, right).to_text()),
        ),
        seed(
            "log_proof",
            "second",
            with(second, &inclusion(1, left).to_text()),
        ),
        seed("log_proof", "growth", with(b"", &growth.to_text())),
    ]
}
