//! Holds the ID block against the tool of `sev-snp-measure`, which other people wrote in another language: same blocks, same
//! digests, and signatures that verify. Signatures of the two differ: ECDSA is random there.
//!
//! Needs `CHRYSALIS_PYTHON`, an environment with `sev-snp-measure`; says so and passes without.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use chrysalis_measure::{IdBlock, Identity, MeasureError, SigningKey, SnpPolicy};
use data_encoding::BASE64;
use p384::{
    EncodedPoint,
    ecdsa::{Signature, VerifyingKey, signature::Verifier},
    pkcs8::{EncodePrivateKey, LineEnding},
};
use std::{fs, process::Command};

fn secret(seed: u8) -> p384::SecretKey {
    p384::SecretKey::from_slice(&[seed; 48]).unwrap()
}

fn pem(seed: u8) -> String {
    secret(seed)
        .to_pkcs8_pem(LineEnding::LF)
        .unwrap()
        .to_string()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_pem("--id-key", &pem(seed)).unwrap()
}

fn block() -> IdBlock {
    IdBlock {
        launch_digest: [0x5A; 48],
        family_id: [0; 16],
        image_id: [0; 16],
        guest_svn: 0,
        policy: SnpPolicy::default(),
    }
}

fn identity() -> Identity {
    block().sign(&key(1), &key(2))
}

/// The number at an offset, little-endian and padded to 72 bytes, as 48 big-endian ones.
fn number(bytes: &[u8], at: usize) -> [u8; 48] {
    assert_eq!(bytes[at + 48..at + 72], [0; 24]);
    let mut number: [u8; 48] = bytes[at..at + 48].try_into().unwrap();
    number.reverse();
    number
}

fn verifies(authentication: &[u8], key_at: usize, signature_at: usize, message: &[u8]) -> bool {
    let (x, y) = (
        number(authentication, key_at + 4),
        number(authentication, key_at + 76),
    );
    let point = EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
    let key = VerifyingKey::from_encoded_point(&point).unwrap();
    let (r, s) = (
        number(authentication, signature_at),
        number(authentication, signature_at + 72),
    );
    let signature = Signature::from_scalars(r, s).unwrap();
    key.verify(message, &signature).is_ok()
}

#[test]
fn both_signatures_verify_from_the_bytes_alone() {
    let Identity {
        block,
        authentication,
        ..
    } = identity();
    assert_eq!((block.len(), authentication.len()), (96, 4096));
    assert_eq!(authentication[..8], [1, 0, 0, 0, 1, 0, 0, 0]);
    let id_key = &authentication[0x240..0x644];
    assert!(verifies(&authentication, 0x240, 0x40, &block));
    assert!(verifies(&authentication, 0x880, 0x680, id_key));
    let mut other = block;
    other[0] ^= 1;
    assert!(!verifies(&authentication, 0x240, 0x40, &other));
}

#[test]
fn the_block_holds_what_was_asked_for() {
    let bytes = IdBlock {
        family_id: [1; 16],
        image_id: [2; 16],
        guest_svn: 0x0403_0201,
        policy: SnpPolicy(0x2_0007),
        ..block()
    }
    .to_bytes();
    assert_eq!(bytes[..48], [0x5A; 48]);
    assert_eq!(bytes[48..64], [1; 16]);
    assert_eq!(bytes[64..80], [2; 16]);
    assert_eq!(bytes[80..84], [1, 0, 0, 0]);
    assert_eq!(bytes[84..88], [1, 2, 3, 4]);
    assert_eq!(bytes[88..], [7, 0, 2, 0, 0, 0, 0, 0]);
}

#[test]
fn the_same_keys_sign_the_same_bytes_again() {
    assert_eq!(identity(), identity());
}

#[test]
fn another_implementation_makes_the_same_block_and_digests() {
    let Some(python) = std::env::var_os("CHRYSALIS_PYTHON") else {
        chrysalis_test_support::skip("no CHRYSALIS_PYTHON with sev-snp-measure");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (id, author) = (
        folder.path().join("id.pem"),
        folder.path().join("author.pem"),
    );
    fs::write(&id, pem(1)).unwrap();
    fs::write(&author, pem(2)).unwrap();
    let output = Command::new(python)
        .args([
            "-c",
            "import sys; from sevsnpmeasure.id_block import main; sys.exit(main())",
        ])
        .args(["--measurement", &BASE64.encode(&block().launch_digest)])
        .arg("--idkey")
        .arg(id)
        .arg("--authorkey")
        .arg(author)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let printed = String::from_utf8(output.stdout).unwrap();
    let after = |label: &str| {
        let rest = printed.split(label).nth(1).unwrap();
        let text = rest.split([',', '\n']).next().unwrap();
        BASE64.decode(text.as_bytes()).unwrap()
    };
    let ours = identity();
    assert_eq!(after("id-block="), ours.block);
    assert_eq!(after("id_key_hash: "), ours.id_key_digest);
    assert_eq!(after("author_key: "), ours.author_key_digest);
    let theirs = after("id-auth=");
    for range in [0..0x40, 0x240..0x680, 0x880..0x1000] {
        assert_eq!(
            theirs[range.clone()],
            ours.authentication[range.clone()],
            "{range:?}"
        );
    }
    assert!(verifies(&theirs, 0x240, 0x40, &ours.block));
    assert!(verifies(
        &theirs,
        0x880,
        0x680,
        &ours.authentication[0x240..0x644]
    ));
}

#[test]
fn reads_both_kinds_of_pem() {
    let der = format!("303e0201010430{}a00706052b81040022", "01".repeat(48));
    let sec1 = armoured("EC PRIVATE KEY", &der);
    // As `openssl ecparam -genkey` writes it.
    let with_parameters =
        format!("-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n{sec1}");
    for text in [pem(1), sec1, with_parameters] {
        let other = SigningKey::from_pem("--id-key", &text).unwrap();
        assert_eq!(block().sign(&other, &key(2)), identity());
    }
}

#[test]
fn a_key_that_cannot_sign_is_told_apart() {
    let fault = |text: &str| match SigningKey::from_pem("--author-key", text) {
        Err(MeasureError::Key {
            role: "--author-key",
            fault,
        }) => fault,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was read"),
    };
    let none = "it holds no private key in PEM";
    assert_eq!(fault(""), none);
    assert_eq!(
        fault("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"),
        none
    );
    assert_eq!(
        fault("-----BEGIN PRIVATE KEY-----\n!\n"),
        "its PEM is damaged"
    );
    let other_curve = "it holds a key of another curve or kind";
    // P-256 in PKCS#8 and in SEC1, Ed25519 in PKCS#8.
    for (label, before, after) in [
        (
            "PRIVATE KEY",
            "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420",
            "",
        ),
        (
            "EC PRIVATE KEY",
            "30310201010420",
            "a00a06082a8648ce3d030107",
        ),
        ("PRIVATE KEY", "302e020100300506032b657004220420", ""),
    ] {
        let der = format!("{before}{}{after}", "01".repeat(32));
        assert_eq!(fault(&armoured(label, &der)), other_curve);
    }
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(
        fault(encrypted),
        "it is encrypted: decrypt it first (`openssl pkey`)"
    );
    // No private key is zero.
    let zero = format!("303e0201010430{}a00706052b81040022", "00".repeat(48));
    assert_eq!(
        fault(&armoured("EC PRIVATE KEY", &zero)),
        "the key in it is damaged"
    );
}

/// PEM of a structure in hexadecimal.
fn armoured(label: &str, der: &str) -> String {
    let text = BASE64.encode(&hex::decode(der).unwrap()).into_bytes();
    let lines: Vec<&str> = text
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
