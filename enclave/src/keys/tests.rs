//! What a key signs, and what of it is in memory: found before it is wiped, and not after.

use super::*;
use std::{
    fs::{File, read_to_string},
    os::unix::fs::FileExt,
};

use chrysalis_attestation::evidence::{CpuReport, Endorsements};
use ring::signature::{ED25519, UnparsedPublicKey};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

fn evidence() -> Evidence {
    Evidence {
        cpu: CpuReport::Snp(vec![7; 1184]),
        claims: vec![0xa0],
        gpus: Vec::new(),
        endorsements: Endorsements::default(),
    }
}

#[test]
fn the_certificate_carries_the_evidence_and_is_about_the_key() {
    let keys = Keys::make().unwrap();
    let public = keys.public();
    let certified = keys.certify(&evidence()).unwrap();
    certified.keys_match().unwrap();
    assert_eq!(
        Evidence::from_certificate(&certified.cert[0]).unwrap(),
        (evidence(), public)
    );
}

#[test]
fn signs_in_one_way_alone() {
    let key = Keys::make().unwrap().tls;
    assert!(key.choose_scheme(&[SignatureScheme::ED25519]).is_none());
    let offered = [SignatureScheme::ED25519, SCHEME];
    assert_eq!(key.choose_scheme(&offered).unwrap().scheme(), SCHEME);
}

/// Calls `see` with every piece of this process's writable memory, a little more than [`CHUNK`] at a time; pieces overlap by
/// `overlap`.
fn each_chunk(overlap: usize, mut see: impl FnMut(&[u8])) {
    const CHUNK: usize = 1 << 18;
    // Enclaves of other tests have closed this process to debuggers, and this is one.
    set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut chunk = vec![0; CHUNK + overlap];
    for line in read_to_string("/proc/self/maps").unwrap().lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|at| u64::from_str_radix(at, 16).unwrap());
        if !rest.starts_with("rw") {
            continue;
        }
        for at in (start..end).step_by(CHUNK) {
            // Another thread may have returned this memory since.
            let length = memory.read_at(&mut chunk, at).unwrap_or(0);
            see(&chunk[..length]);
        }
    }
}

/// How often this process's memory contains the PKCS#8 form of the key with this public point: only there does `A1 44 03 42 00`
/// precede it (RFC 5915). The two are never put together here, or the search would find them.
fn copies_of(point: &[u8]) -> usize {
    const BEFORE: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];
    let whole = BEFORE.len() + point.len();
    let mut found = 0;
    each_chunk(whole, |chunk| {
        let windows = chunk.windows(whole);
        found += windows
            .filter(|place| {
                place[0] == BEFORE[0] && place.starts_with(&BEFORE) && place.ends_with(point)
            })
            .count();
    });
    found
}

/// Bytes of a key's memory that a search can recognise.
const PIECE: usize = 16;
/// Pieces are kept with every bit turned, or the search would find them.
type Piece = [u8; PIECE];

/// The private pieces of what lies at this place: those of many different bytes, none of which are public.
fn pieces(place: usize, length: usize, public: &[u8]) -> Vec<Piece> {
    set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
    let mut bytes = vec![0; length];
    let memory = File::open("/proc/self/mem").unwrap();
    memory.read_exact_at(&mut bytes, place as u64).unwrap();
    let public: Vec<&[u8]> = public.windows(8).collect();
    let starts = (0..=length - PIECE).step_by(8);
    let pieces = starts.map(|at| -> Piece { bytes[at..at + PIECE].try_into().unwrap() });
    let private = pieces.filter(|piece| {
        let different: std::collections::BTreeSet<&u8> = piece.iter().collect();
        different.len() > 10 && !piece.windows(8).any(|part| public.contains(&part))
    });
    let turned = private.map(|piece| piece.map(|byte| !byte)).collect();
    bytes.zeroize();
    turned
}

/// How many of the pieces are anywhere in memory.
fn found_of(pieces: &[Piece]) -> usize {
    let mut begins = [false; 256];
    for piece in pieces {
        begins[usize::from(!piece[0])] = true;
    }
    let mut found = vec![false; pieces.len()];
    each_chunk(PIECE, |chunk| {
        for place in chunk.windows(PIECE) {
            if !begins[usize::from(place[0])] {
                continue;
            }
            for (piece, found) in pieces.iter().zip(&mut found) {
                *found |= piece.iter().zip(place).all(|(piece, byte)| *piece == !byte);
            }
        }
    });
    found.into_iter().filter(|found| *found).count()
}

#[test]
fn no_other_copy_of_the_key_is_left_in_memory() {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let left = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, left.as_ref(), &random).unwrap();
    assert_ne!(copies_of(pair.public_key().as_ref()), 0, "the search");
    black_box(&left);

    let keys = Keys::make().unwrap();
    let public = keys.public();
    let point = &public[public.len() - 65..];
    assert_eq!(copies_of(point), 0, "when it was made");
    let certified = keys.certify(&evidence()).unwrap();
    assert_eq!(copies_of(point), 0, "when it is in use");
    drop(certified);
}

/// Both keys have signed, by then.
#[test]
fn wiped_keys_sign_nothing_and_are_nowhere_in_memory() {
    let keys = Keys::make().unwrap();
    let certified = keys.certify(&evidence()).unwrap();
    keys.sign_receipt(b"receipt").unwrap();
    let Keys { tls, receipts } = &keys;
    let tls_pieces = pieces(
        tls.0.pair.place().unwrap(),
        size_of::<EcdsaKeyPair>(),
        &tls.0.public,
    );
    let receipt_pieces = pieces(
        receipts.pair.place().unwrap(),
        size_of::<Ed25519KeyPair>(),
        &receipts.public,
    );
    // A scalar and a nonce's key each.
    assert!(tls_pieces.len() >= 6 && receipt_pieces.len() >= 6);
    assert_eq!(found_of(&tls_pieces), tls_pieces.len());
    assert_eq!(found_of(&receipt_pieces), receipt_pieces.len());

    // Whoever holds another way to them can do nothing with it.
    keys.clone().wipe();
    assert_eq!(found_of(&tls_pieces), 0);
    assert_eq!(found_of(&receipt_pieces), 0);
    keys.sign_receipt(b"receipt").unwrap_err();
    keys.certify(&evidence()).err().unwrap();
    let signer = certified.key.choose_scheme(&[SCHEME]).unwrap();
    signer.sign(b"handshake").unwrap_err();
}

#[test]
fn a_receipt_is_signed_by_the_key_that_the_claims_name() {
    let keys = Keys::make().unwrap();
    let signature = keys.sign_receipt(b"receipt").unwrap();
    let key = UnparsedPublicKey::new(&ED25519, keys.receipt_key());
    key.verify(b"receipt", &signature).unwrap();
    key.verify(b"another", &signature).unwrap_err();
}
