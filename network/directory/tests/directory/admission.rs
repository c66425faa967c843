//! Listings: what is admitted, and every reason why one is not.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use chrysalis_attestation::evidence::Evidence;
use chrysalis_directory::{
    Admitted, MAX_ON_CHIP, Refused,
    store::{Change, Shared, Sqlite, Store, StoreError},
};
use chrysalis_network::{Listing, Upload};
use chrysalis_settle::EpochEvidence;

use crate::world::{Enclave, Key, Making, NOW, OTHER_WEIGHTS, World};

fn refused<T>(outcome: Result<T, Refused>) -> (u16, &'static str) {
    let refused = outcome.err().expect("it is refused");
    assert!(!refused.message.is_empty() && !refused.hint.is_empty());
    (refused.status, refused.code)
}

/// A listing that the operator signed, with something else in it.
fn altered(
    world: &World,
    enclave: &Enclave,
    alter: impl FnOnce(&mut Listing),
) -> Result<Admitted, Refused> {
    let evidence = enclave.evidence();
    let mut listing = enclave.listing(world, &evidence);
    alter(&mut listing);
    let upload = Upload {
        listing: listing.sign(&Key::of(&enclave.operator)).unwrap(),
        evidence: Some(evidence),
    };
    world.desk.list(&upload.encode())
}

#[test]
fn a_listing_is_admitted_and_its_evidence_verified_once() {
    let world = World::new();
    let mut enclave = Enclave::new("one");
    let upload = enclave.upload(&world).encode();
    let first = world.desk.list(&upload).unwrap();
    let Admitted::Listed { until, id } = first else {
        panic!("{first:?}");
    };
    assert_eq!(until, NOW + 1800);
    assert_eq!(first.json()["id"], id.to_string());
    // The same again, and renewed without the evidence.
    assert_eq!(world.desk.list(&upload).unwrap(), first);
    (enclave.seq, enclave.bring) = (2, false);
    world.hands.pass(600);
    world.list(&enclave).unwrap();
    assert_eq!(world.judged.load(Ordering::SeqCst), 1);
    // A program that starts anew verifies what it kept.
    let world = world.restarted();
    enclave.seq = 3;
    world.list(&enclave).unwrap();
    assert_eq!(world.judged.load(Ordering::SeqCst), 1);
}

#[test]
fn evidence_is_asked_for_where_it_is_missing_or_over() {
    let world = World::new();
    let mut enclave = Enclave::new("one");
    enclave.bring = false;
    assert_eq!(refused(world.list(&enclave)), (409, "evidence_wanted"));
    enclave.bring = true;
    world.list(&enclave).unwrap();
    // Two epochs later, the evidence vouches for nothing.
    world.hands.pass(2 * 3600 + 1);
    (enclave.seq, enclave.bring) = (2, false);
    assert_eq!(refused(world.list(&enclave)), (409, "evidence_wanted"));
    enclave.bring = true;
    assert_eq!(refused(world.list(&enclave)), (403, "epoch_old"));
}

#[test]
fn no_byte_of_an_upload_can_change() {
    let world = World::new();
    let upload = Enclave::new("one").upload(&world);
    for at in (0..upload.listing.len()).step_by(7) {
        let mut listing = upload.listing.clone();
        listing[at] ^= 1;
        let changed = Upload {
            listing,
            evidence: upload.evidence.clone(),
        };
        let (status, code) = refused(world.desk.list(&changed.encode()));
        assert!(status == 400, "{at}: {code}");
    }
    let evidence = upload.evidence.clone().unwrap();
    for at in (0..evidence.bundle.len()).step_by(997) {
        let mut bundle = evidence.bundle.clone();
        bundle[at] ^= 1;
        let changed = Upload {
            evidence: Some(EpochEvidence {
                spki: evidence.spki.clone(),
                bundle,
            }),
            ..upload.clone()
        };
        // What endorses the report is not in the digest, and other certificates may do.
        let changed = world.desk.list(&changed.encode());
        if let Err(refused) = changed {
            assert_eq!(refused.status, 403, "{at}: {}", refused.code);
        }
    }
    let spki = Upload {
        evidence: Some(EpochEvidence {
            spki: b"another key".to_vec(),
            bundle: evidence.bundle,
        }),
        ..upload.clone()
    };
    let fresh = World::new();
    let spki = Upload {
        listing: Enclave::new("one").upload(&fresh).listing,
        ..spki
    };
    assert_eq!(refused(fresh.desk.list(&spki.encode())).0, 403);
    for bytes in [&b""[..], b"\xa0", b"\xff\xff", b"\xa1glisting\x01"] {
        assert_eq!(refused(world.desk.list(bytes)), (400, "upload_malformed"));
    }
}

#[test]
fn a_listing_for_something_else_is_refused() {
    let world = World::new();
    let one = Enclave::new("one");
    let list = |alter: fn(&mut Listing)| refused(altered(&world, &one, alter));
    assert_eq!(list(|it| it.network = [9; 32]), (403, "listing_network"));
    assert_eq!(list(|it| it.operator = [9; 32]), (400, "listing_signature"));
    let nowhere = |address: &str| {
        let mut one = one.clone();
        address.clone_into(&mut one.endpoint);
        refused(world.list(&one))
    };
    for address in ["127.0.0.1:443", "192.168.1.7:443", "router.local:443"] {
        assert_eq!(nowhere(address), (403, "endpoint_private"), "{address}");
    }
    let mut other = one.clone();
    other.weights = [0x99; 32];
    assert_eq!(refused(world.list(&other)), (403, "listing_class"));
    let private = World::with(Making {
        private: true,
        ..Making::default()
    });
    let mut inside = one.clone();
    inside.endpoint = "127.0.0.1:443".to_owned();
    private.list(&inside).unwrap();
}

#[test]
fn clocks_that_are_an_hour_apart_are_told_so() {
    let world = World::new();
    let one = Enclave::new("one");
    for (by, code) in [(3601, "listing_too_long"), (0, "listing_expired")] {
        let outcome = altered(&world, &one, |it| it.until = NOW + by);
        let refused = outcome.unwrap_err();
        assert_eq!((refused.status, refused.code), (400, code));
        assert!(
            refused.message.contains("it is 2026-12-01 12:00 UTC here"),
            "{refused:?}"
        );
        assert!(refused.hint.contains("clock"), "{refused:?}");
    }
    let mut behind = Enclave::new("behind");
    behind.began = NOW - 3 * 3600;
    assert_eq!(refused(world.list(&behind)), (403, "epoch_old"));
}

type Lie = fn(&mut chrysalis_settle::Offer);

#[test]
fn evidence_has_to_be_about_the_very_offer() {
    let world = World::new();
    let lies: [(Lie, &str); 9] = [
        (|it| it.model = "gpt".to_owned(), "model"),
        (|it| it.kind = "embedding".to_owned(), "model"),
        (|it| it.weights = OTHER_WEIGHTS, "model"),
        (|it| it.release = "9.9.9".to_owned(), "release"),
        (|it| it.configuration = [9; 32], "configuration"),
        (|it| it.epoch = 7, "epoch"),
        (|it| it.evidence = [9; 32], "bundle"),
        (|it| it.platform = "snp".to_owned(), "platform"),
        (|it| it.gpus = 8, "number of GPUs"),
    ];
    for (number, (lie, what)) in lies.into_iter().enumerate() {
        let mut enclave = Enclave::new(&format!("liar {number}"));
        enclave.alter = lie;
        let refused = world.list(&enclave).unwrap_err();
        assert_eq!((refused.status, refused.code), (403, "listing_mismatch"));
        assert!(refused.message.ends_with(what), "{what}: {refused:?}");
    }
    // Another enclave's evidence, and one that claims another's key.
    let (one, two) = (Enclave::new("one"), Enclave::new("two"));
    let stolen = Upload {
        evidence: Some(two.evidence()),
        ..one.upload(&world)
    };
    assert_eq!(
        refused(world.desk.list(&stolen.encode())),
        (403, "listing_mismatch")
    );
    let mut thief = one.clone();
    thief.claims.receipt_key = Key::of("two").public();
    assert_eq!(refused(world.list(&thief)), (403, "listing_mismatch"));
}

#[test]
fn evidence_that_the_policy_does_not_trust_is_refused_by_its_own_code() {
    let world = World::with(Making {
        roots: Vec::new(),
        ..Making::default()
    });
    let one = Enclave::new("one");
    assert_eq!(refused(world.list(&one)), (403, "simulated_root_refused"));
    let world = World::new();
    let mut evidence = one.evidence();
    let mut read = Evidence::decode(&evidence.bundle).unwrap();
    read.endorsements = chrysalis_attestation::evidence::Endorsements::default();
    evidence.bundle = read.encode();
    let bare = Upload {
        listing: one.upload(&world).listing,
        evidence: Some(evidence),
    };
    assert_eq!(refused(world.desk.list(&bare.encode())).0, 403);
}

#[test]
fn a_chip_has_so_many_listings_and_no_more() {
    let world = World::new();
    let mut enclave = Enclave::new("one");
    for number in 0..MAX_ON_CHIP {
        enclave.operator = format!("operator {number}");
        world.list(&enclave).unwrap();
    }
    // One that is there can be renewed, another one not be added.
    enclave.seq = 2;
    world.list(&enclave).unwrap();
    enclave.operator = "one too many".to_owned();
    assert_eq!(refused(world.list(&enclave)), (429, "chip_full"));
    // Another chip has room.
    let mut other = Enclave::new("two");
    other.chip = 2;
    world.list(&other).unwrap();
    let again = world.restarted();
    assert_eq!(refused(again.list(&enclave)), (429, "chip_full"));
    again.hands.pass(1801);
    again.list(&enclave).unwrap();
}

#[test]
fn what_is_older_never_comes_back() {
    let world = World::new();
    let mut enclave = Enclave::new("one");
    let old = enclave.upload(&world).encode();
    world.desk.list(&old).unwrap();
    enclave.seq = 5;
    let new = enclave.upload(&world).encode();
    world.desk.list(&new).unwrap();
    assert_eq!(refused(world.desk.list(&old)), (409, "listing_superseded"));
    let second = altered(&world, &enclave, |it| it.region = "us".to_owned());
    assert_eq!(refused(second), (409, "listing_superseded"));
    // Withdrawn, by one that is over; and withdrawn it stays.
    let over = |seq: u64| {
        altered(&world, &enclave, |it| {
            (it.seq, it.until) = (seq, NOW - 1);
        })
    };
    assert_eq!(refused(over(4)), (400, "listing_expired"));
    assert_eq!(refused(over(5)), (400, "listing_expired"));
    assert_eq!(over(6), Ok(Admitted::Withdrawn));
    assert_eq!(over(6), Ok(Admitted::Withdrawn));
    assert_eq!(refused(world.desk.list(&new)), (409, "listing_superseded"));
    enclave.seq = 7;
    world.list(&enclave).unwrap();
}

/// A database whose disk may be full.
struct Full(Sqlite, Arc<AtomicBool>);

impl Store for Full {
    fn change(&mut self) -> Result<Box<dyn Change + '_>, StoreError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(StoreError::new("the disk is full", true));
        }
        self.0.change()
    }
}

#[test]
fn what_cannot_be_noted_is_not_taken_and_can_be_sent_again() {
    let full = Arc::new(AtomicBool::new(false));
    let store = Full(Sqlite::in_memory().unwrap(), Arc::clone(&full));
    let world = World::with(Making {
        store: Some(Shared::new(store)),
        ..Making::default()
    });
    let one = Enclave::new("one");
    full.store(true, Ordering::SeqCst);
    assert_eq!(refused(world.list(&one)), (503, "directory_unable"));
    full.store(false, Ordering::SeqCst);
    world.list(&one).unwrap();
    full.store(true, Ordering::SeqCst);
    let report = &one.reports(1)[0];
    assert_eq!(
        refused(world.desk.report(report)),
        (503, "directory_unable")
    );
    full.store(false, Ordering::SeqCst);
    world.desk.report(report).unwrap();
}
