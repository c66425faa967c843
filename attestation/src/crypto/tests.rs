//! The three libraries give the same answers: one table for all of them.

use p256::ecdsa::signature::{SignatureEncoding, Signer};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rsa::{pkcs1::EncodeRsaPublicKey, traits::PublicKeyParts};

use super::{
    PointP256,
    alike::{aws_lc, ring},
    backend::{Backend, RsaKey},
    ecdsa_p256_by, ecdsa_p384_by, rsa_pkcs1_by, rsa_pss_by, rustcrypto,
};
use crate::{
    encoding::x509,
    snp::{ARKS, signed::Signed},
};

const MESSAGE: &[u8] = b"what the hardware said";
const ORDER_P256: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const ORDER_P384: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973";

/// Little-endian, like all of Ed25519's numbers.
const ORDER_ED25519: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/// One question to a library, and what it must answer.
struct Row<const SIGNATURE: usize> {
    what: &'static str,
    key: Vec<u8>,
    message: Vec<u8>,
    signature: [u8; SIGNATURE],
    holds: bool,
}

/// `order - s`: an equally valid signature, and hardware produces either.
fn other_s<const SIGNATURE: usize>(signature: [u8; SIGNATURE], order: &[u8]) -> [u8; SIGNATURE] {
    let mut out = signature;
    let mut borrow = 0;
    for (place, digit) in out[SIGNATURE / 2..].iter_mut().enumerate().rev() {
        let difference = i16::from(order[place]) - i16::from(*digit) - borrow;
        borrow = i16::from(difference < 0);
        *digit = u8::try_from(difference.rem_euclid(256)).expect("a byte");
    }
    out
}

fn ecdsa_table<const SIGNATURE: usize>(
    key: &[u8],
    compressed: &[u8],
    signature: [u8; SIGNATURE],
    order: &str,
) -> Vec<Row<SIGNATURE>> {
    let order = hex::decode(order).expect("hex");
    let (r, s) = (0..SIGNATURE / 2, SIGNATURE / 2..SIGNATURE);
    let row = |what, holds| Row {
        what,
        key: key.to_vec(),
        message: MESSAGE.to_vec(),
        signature,
        holds,
    };
    let with_key = |what, change: &dyn Fn(&mut Vec<u8>)| {
        let mut row = row(what, false);
        change(&mut row.key);
        row
    };
    let with_number = |what, place: &std::ops::Range<usize>, value: &[u8]| {
        let mut row = row(what, false);
        row.signature[place.clone()].copy_from_slice(value);
        row
    };
    let (zero, most) = (vec![0; SIGNATURE / 2], vec![0xFF; SIGNATURE / 2]);
    let last = key.len() - 1;
    let mut rows = vec![
        row("as signed", true),
        Row {
            signature: other_s(signature, &order),
            ..row("the other s", true)
        },
        Row {
            message: b"what the hardware sang".to_vec(),
            ..row("another message", false)
        },
        Row {
            message: Vec::new(),
            ..row("no message", false)
        },
        with_number("r is zero", &r, &zero),
        with_number("s is zero", &s, &zero),
        with_number("r is the order", &r, &order),
        with_number("s is the order", &s, &order),
        with_number("r is beyond the order", &r, &most),
        with_number("s is beyond the order", &s, &most),
        Row {
            signature: [0; SIGNATURE],
            ..row("both are zero", false)
        },
        with_key("a point off the curve", &|key| key[last] ^= 1),
        with_key("the point at zero", &|key| key[1..].fill(0)),
        with_key("a coordinate beyond the field", &|key| {
            key[1..=last / 2].fill(0xFF);
        }),
        with_key("a point of another form", &|key| {
            key[0] = 6 + (key[last] & 1);
        }),
        with_key("a point without its form", &|key| key[0] = 0),
    ];
    if SIGNATURE == 96 {
        // On P-256 the type says how long a point is.
        rows.push(with_key("a compressed point", &|key| {
            *key = compressed.to_vec();
        }));
        rows.push(with_key("a point cut short", &|key| _ = key.pop()));
        rows.push(with_key("a byte behind the point", &|key| key.push(0)));
        rows.push(with_key("the point at infinity", &|key| *key = vec![0]));
        rows.push(with_key("no key", &|key| key.clear()));
    }
    for bit in (0..SIGNATURE * 8).step_by(37) {
        let mut row = row("a flipped bit", false);
        row.signature[bit / 8] ^= 1 << (bit % 8);
        rows.push(row);
    }
    rows
}

fn p256_by<B: Backend>() {
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("a key");
    let signature: p256::ecdsa::Signature = key.sign(MESSAGE);
    let point = |compress| key.verifying_key().to_encoded_point(compress);
    let table = ecdsa_table::<64>(
        point(false).as_bytes(),
        point(true).as_bytes(),
        signature.to_bytes()[..].try_into().expect("r and s"),
        ORDER_P256,
    );
    for row in table {
        let key: PointP256 = row.key.try_into().expect("the length");
        let found = ecdsa_p256_by::<B>(&key, &row.message, &row.signature);
        assert_eq!(found.is_ok(), row.holds, "{}: {}", B::NAME, row.what);
    }
}

fn p384_by<B: Backend>() {
    let key = p384::ecdsa::SigningKey::from_slice(&[7; 48]).expect("a key");
    let signature: p384::ecdsa::Signature = key.sign(MESSAGE);
    let point = |compress| key.verifying_key().to_encoded_point(compress);
    let table = ecdsa_table::<96>(
        point(false).as_bytes(),
        point(true).as_bytes(),
        signature.to_bytes()[..].try_into().expect("r and s"),
        ORDER_P384,
    );
    for row in table {
        let found = ecdsa_p384_by::<B>(&row.key, &row.message, &row.signature);
        assert_eq!(found.is_ok(), row.holds, "{}: {}", B::NAME, row.what);
    }
}

/// A key of 2048 bits, and what it signs with this length of salt.
struct RsaSigner {
    private: rsa::RsaPrivateKey,
    public: Vec<u8>,
}

impl RsaSigner {
    fn new(bits: usize, exponent: u32) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(7);
        let private = rsa::RsaPrivateKey::new_with_exp(&mut random, bits, &exponent.into());
        let private = private.expect("a key");
        let public = private.to_public_key().to_pkcs1_der().expect("DER");
        Self {
            public: public.into_vec(),
            private,
        }
    }

    fn sign(&self, salt: usize) -> Vec<u8> {
        use rsa::signature::RandomizedSigner;
        let key =
            rsa::pss::SigningKey::<sha2::Sha384>::new_with_salt_len(self.private.clone(), salt);
        key.sign_with_rng(&mut ChaCha20Rng::seed_from_u64(8), MESSAGE)
            .to_vec()
    }
}

fn pkcs1_by<B: Backend>(signer: &RsaSigner) {
    let key = rsa::pkcs1v15::SigningKey::<sha2::Sha256>::new(signer.private.clone());
    let signature = key.sign(MESSAGE).to_vec();
    let modulus = signer.private.n().to_bytes_be();
    let check = |what: &str, message: &[u8], signature: &[u8], holds: bool| {
        let found = rsa_pkcs1_by::<B>((&modulus, &RsaKey::EXPONENT), message, signature);
        assert_eq!(found.is_ok(), holds, "{}: {what}", B::NAME);
    };
    check("as signed", MESSAGE, &signature, true);
    check("another message", b"", &signature, false);
    check("of another padding", MESSAGE, &signer.sign(48), false);
    check("no signature", MESSAGE, &[], false);
    check("cut short", MESSAGE, &signature[1..], false);
    let longer = [&[0], &signature[..]].concat();
    check("a zero before it", MESSAGE, &longer, false);
    check("beyond the modulus", MESSAGE, &[0xFF; 256], false);
    for bit in (0..signature.len() * 8).step_by(101) {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        check("a flipped bit", MESSAGE, &flipped, false);
    }
}

fn rsa_by<B: Backend>(signer: &RsaSigner) {
    let RsaSigner { private, public } = signer;
    let signature = signer.sign(48);
    let check = |what: &str, key: &[u8], message: &[u8], signature: &[u8], holds: bool| {
        let found = rsa_pss_by::<B>(key, message, signature);
        assert_eq!(found.is_ok(), holds, "{}: {what}", B::NAME);
    };
    check("as signed", public, MESSAGE, &signature, true);
    check("another message", public, b"", &signature, false);
    check("a shorter salt", public, MESSAGE, &signer.sign(32), false);
    check("a longer salt", public, MESSAGE, &signer.sign(64), false);
    check("no salt", public, MESSAGE, &signer.sign(0), false);
    check("no signature", public, MESSAGE, &[], false);
    check("cut short", public, MESSAGE, &signature[1..], false);
    let longer = [&[0], &signature[..]].concat();
    check("a zero before it", public, MESSAGE, &longer, false);
    check("zero", public, MESSAGE, &[0; 256], false);
    let modulus = private.n().to_bytes_be();
    check("the modulus", public, MESSAGE, &modulus, false);
    check("beyond the modulus", public, MESSAGE, &[0xFF; 256], false);
    for bit in (0..signature.len() * 8).step_by(101) {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        check("a flipped bit", public, MESSAGE, &flipped, false);
        let mut flipped = public.clone();
        flipped[9 + bit / 8] ^= 1 << (bit % 8);
        check(
            "a flipped bit in the key",
            &flipped,
            MESSAGE,
            &signature,
            false,
        );
    }
    check(
        "a key with more behind it",
        &[&public[..], &[0]].concat(),
        MESSAGE,
        &signature,
        false,
    );
    check("no key", &[], MESSAGE, &signature, false);

    // AMD's own, with 4096 bits: each root signed itself.
    for pem in ARKS {
        let der = crate::encoding::pem::certificates(pem).expect("PEM");
        let ark = x509::certificate(&der[0]).expect("a certificate");
        let own = Signed::certificate(&ark);
        let key = &ark.public_key().subject_public_key.data;
        let signature = own.signature.expect("RSASSA-PSS");
        check("AMD's root", key, &own.bytes, &signature, true);
        check(
            "AMD's root, changed",
            key,
            &own.bytes[1..],
            &signature,
            false,
        );
    }
}

fn ed25519_by<B: Backend>() {
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let public = key.verifying_key().to_bytes();
    let signature = key.sign(MESSAGE).to_bytes();
    let check = |what: &str, key: &[u8; 32], message: &[u8], signature: &[u8; 64], holds: bool| {
        assert_eq!(
            B::ed25519(key, message, signature),
            holds,
            "{}: {what}",
            B::NAME
        );
    };
    check("as signed", &public, MESSAGE, &signature, true);
    check("another message", &public, b"", &signature, false);
    let other = ed25519_dalek::SigningKey::from_bytes(&[8; 32])
        .verifying_key()
        .to_bytes();
    check("another key", &other, MESSAGE, &signature, false);
    check("zero", &public, MESSAGE, &[0; 64], false);
    // The same s plus the order, which the equation alone could not distinguish.
    let order = hex::decode(ORDER_ED25519).expect("hex");
    let mut larger = signature;
    let mut carry = 0;
    for (digit, addend) in larger[32..].iter_mut().zip(&order) {
        let sum = u16::from(*digit) + u16::from(*addend) + carry;
        *digit = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    check("s not below the order", &public, MESSAGE, &larger, false);
    for bit in (0..512).step_by(7) {
        let mut flipped = signature;
        flipped[bit / 8] ^= 1 << (bit % 8);
        check("a flipped bit", &public, MESSAGE, &flipped, false);
    }
}

fn hashes_by<B: Backend>() {
    // FIPS 180-4's example, in two pieces.
    let parts: [&[u8]; 2] = [b"a", b"bc"];
    assert_eq!(
        hex::encode(B::sha1(&parts)),
        "a9993e364706816aba3e25717850c26c9cd0d89d"
    );
    assert_eq!(
        hex::encode(B::sha256(&parts)),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        hex::encode(B::sha384(&parts)),
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
         8086072ba1e7cc2358baeca134c825a7"
    );
    assert_eq!(
        hex::encode(B::sha512(&parts)),
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    );
}

#[test]
fn all_libraries_answer_alike_about_ed25519() {
    ed25519_by::<ring::Chosen>();
    ed25519_by::<aws_lc::Chosen>();
    ed25519_by::<rustcrypto::Chosen>();
}

#[test]
fn all_libraries_answer_alike_about_ecdsa_on_p256() {
    p256_by::<ring::Chosen>();
    p256_by::<aws_lc::Chosen>();
    p256_by::<rustcrypto::Chosen>();
}

#[test]
fn all_libraries_answer_alike_about_ecdsa_on_p384() {
    p384_by::<ring::Chosen>();
    p384_by::<aws_lc::Chosen>();
    p384_by::<rustcrypto::Chosen>();
}

#[test]
fn all_libraries_answer_alike_about_rsa() {
    let signer = RsaSigner::new(2048, 65537);
    rsa_by::<ring::Chosen>(&signer);
    pkcs1_by::<ring::Chosen>(&signer);
    rsa_by::<aws_lc::Chosen>(&signer);
    pkcs1_by::<aws_lc::Chosen>(&signer);
    rsa_by::<rustcrypto::Chosen>(&signer);
    pkcs1_by::<rustcrypto::Chosen>(&signer);
}

#[test]
fn all_libraries_hash_alike() {
    hashes_by::<ring::Chosen>();
    hashes_by::<aws_lc::Chosen>();
    hashes_by::<rustcrypto::Chosen>();
}

#[test]
fn refuses_rsa_keys_that_no_vendor_has() {
    assert!(RsaKey::parse(&RsaSigner::new(2048, 65537).public).is_some());
    assert!(RsaKey::parse(&RsaSigner::new(2048, 3).public).is_none());
    assert!(RsaKey::parse(&RsaSigner::new(1024, 65537).public).is_none());
}

#[test]
fn the_fastest_library_that_is_there_computes() {
    let wanted = if cfg!(feature = "aws-lc-rs") {
        "aws-lc-rs"
    } else if cfg!(feature = "ring") {
        "ring"
    } else {
        "rustcrypto"
    };
    assert_eq!(super::BACKEND, wanted);
}
