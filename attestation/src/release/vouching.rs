//! Roots, the keys that they vouch for, and what those keys signed: right, and wrong in one thing at a time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    tests::{NOW, PROJECT, Signer, at, files, release},
    *,
};
use crate::{Rejection, Time, encoding::digest::sha256};

const ORIGIN: &str = "releases.example/log";

/// A change that makes a statement invalid, and how it is reported.
type Change<T> = (fn(&mut T), &'static str);

/// Everything that a publisher serves and a client remembers; each part can be changed before it is signed.
struct Scene {
    roots: Vec<Vec<u8>>,
    keys: KeyStatement,
    /// Who signs the key statement.
    root: Signer,
    release: Signer,
    log: Signer,
    /// How many of the entries the log has, counted from the first.
    logged: usize,
    development: Development,
    now: Time,
    seen: SeenKeys,
}

fn root(signer: &Signer, version: u64) -> RootStatement {
    RootStatement {
        project: PROJECT.to_owned(),
        version,
        issued: at(-10),
        expires: at(10),
        key: signer.key(),
    }
}

fn first_root() -> Vec<u8> {
    let signer = Signer::new(10);
    signer.seal(root(&signer, 1).envelope())
}

/// The second root: signed by its own key and by this one.
fn second_root(statement: &RootStatement, old: &Signer) -> Vec<u8> {
    let new = Signer::new(11);
    let envelope = statement.envelope();
    let signature = old.sign(&envelope.to_be_signed());
    new.seal(envelope.with_signature(&old.key(), signature))
}

fn vouched(role: Role, signer: &Signer) -> VouchedKey {
    VouchedKey {
        role,
        key: signer.key(),
        not_before: at(-5),
        expires: at(5),
    }
}

impl Scene {
    fn new() -> Self {
        let [root, release, log] = [10, 20, 30].map(Signer::new);
        Self {
            roots: vec![first_root()],
            keys: KeyStatement {
                project: PROJECT.to_owned(),
                version: 3,
                issued: at(-5),
                expires: at(5),
                keys: vec![vouched(Role::Release, &release), vouched(Role::Log, &log)],
                revoked: Vec::new(),
            },
            root,
            release,
            log,
            logged: usize::MAX,
            development: Development::Refused,
            now: NOW,
            seen: SeenKeys::default(),
        }
    }

    fn manifest(&self) -> Vec<u8> {
        self.release.seal(release(7).envelope(files()))
    }

    fn statement(&self) -> Vec<u8> {
        self.root.seal(self.keys.envelope())
    }

    fn verify(&self) -> Result<(Keys, Vouched), Rejection> {
        self.verify_as(&self.statement(), &self.manifest())
    }

    /// A one-entry log for each proof: its root is the leaf, so what is tested here is which entries must be in the log.
    fn verify_as(&self, keys: &[u8], manifest: &[u8]) -> Result<(Keys, Vouched), Rejection> {
        let mut entries: Vec<&[u8]> = self.roots.iter().map(|it| &it[..]).collect();
        entries.extend([keys, manifest]);
        let count = entries.len().min(self.logged);
        let proofs = proofs(&entries[..count], &self.log);
        let proof = |entry: &[u8]| proofs.get(entry).cloned();
        let published = Published {
            root: &self.roots[0],
            later_roots: &self.roots[1..],
            keys,
            proof: &proof,
        };
        let mut keys = published.keys(self.development, self.now, self.seen)?;
        let vouched = keys.signed(manifest, proof(manifest).as_deref())?;
        Ok((keys, vouched))
    }

    #[track_caller]
    fn rejects(change: impl FnOnce(&mut Self), expected: Rejection) {
        let mut scene = Self::new();
        change(&mut scene);
        assert_eq!(scene.verify().map(|_| ()), Err(expected));
    }
}

/// The proofs that a log has these entries: RFC 6962's tree over them, padded to four entries.
fn proofs(entries: &[&[u8]], log: &Signer) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut leaves: Vec<Hash> = entries.iter().map(|it| leaf_hash(it)).collect();
    let width = leaves.len().next_power_of_two();
    leaves.resize(width, leaf_hash(b"another"));
    let mut rows = vec![leaves];
    while rows[rows.len() - 1].len() > 1 {
        let row = &rows[rows.len() - 1];
        let above = row
            .chunks(2)
            .map(|pair| sha256(&[&[1], &pair[0], &pair[1]]));
        rows.push(above.collect());
    }
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: width as u64,
        root: crate::encoding::digest::Hex(rows[rows.len() - 1][0]),
    };
    let signature = log.sign(checkpoint.to_be_signed().as_bytes());
    let note = checkpoint.note(&log.key(), &signature).expect("a note");
    let proof = |index: usize| {
        let path = rows[..rows.len() - 1].iter().enumerate();
        let inclusion = Inclusion {
            index: index as u64,
            path: path
                .map(|(row, hashes)| hashes[(index >> row) ^ 1])
                .collect(),
            checkpoint: note.clone(),
        };
        inclusion.to_text().into_bytes()
    };
    let proofs = entries.iter().enumerate();
    proofs
        .map(|(index, entry)| (entry.to_vec(), proof(index)))
        .collect()
}

#[test]
fn a_root_vouches_for_the_key_that_signed_a_release() {
    let scene = Scene::new();
    let (keys, vouched) = scene.verify().expect("verified");
    assert_eq!(keys.root().key_id(), scene.root.key().id());
    assert_eq!(vouched.signer, scene.release.key().id());
    assert_eq!(vouched.until, at(5));
    assert!(!keys.is_development());
    let verified = vouched.current(None).expect("current");
    assert_eq!(verified.release, release(7));
    // What was seen is not a rollback.
    let again = Scene {
        seen: keys.seen(),
        ..scene
    };
    let (_, vouched) = again.verify().expect("verified");
    assert_eq!(vouched.current(Some(verified.seen)), Ok(verified));
}

#[test]
fn a_new_root_signed_by_the_old_one_takes_its_place_though_that_one_expired() {
    let (old, new) = (Signer::new(10), Signer::new(11));
    let ended = RootStatement {
        expires: at(-1),
        ..root(&old, 1)
    };
    let mut scene = Scene::new();
    scene.roots = vec![
        old.seal(ended.envelope()),
        second_root(&root(&new, 2), &old),
    ];
    scene.root = new;
    let (keys, _) = scene.verify().expect("verified");
    assert_eq!(keys.root().statement().version, 2);
    // What the old one signs no longer counts.
    scene.root = old;
    let wanted = Signer::new(11).key().id();
    assert_eq!(
        scene.verify().map(|_| ()),
        Err(Rejection::ReleaseRootUnknown { wanted })
    );
}

#[test]
fn rejects_a_new_root_that_the_old_one_did_not_sign() {
    let old = Signer::new(10).key().id();
    let new = Signer::new(11);
    for signer in [Signer::new(11), Signer::new(12)] {
        Scene::rejects(
            |scene| scene.roots.push(second_root(&root(&new, 2), &signer)),
            Rejection::ReleaseRootNotVouched { old },
        );
    }
    // Nor does one that its own key did not sign.
    let mut scene = Scene::new();
    scene
        .roots
        .push(Signer::new(10).seal(root(&new, 2).envelope()));
    assert_eq!(
        scene.verify().map(|_| ()),
        Err(Rejection::EnvelopeKeyUnknown {
            wanted: new.key().id()
        })
    );
}

#[test]
fn rejects_a_root_that_skips_a_version_or_changes_the_project() {
    let (old, new) = (Signer::new(10), Signer::new(11));
    for found in [1, 3, 1 << 52] {
        Scene::rejects(
            |scene| scene.roots.push(second_root(&root(&new, found), &old)),
            Rejection::ReleaseRootVersionSkipped { found, wanted: 2 },
        );
    }
    let other = RootStatement {
        project: "other.example".to_owned(),
        ..root(&new, 2)
    };
    Scene::rejects(
        |scene| scene.roots.push(second_root(&other, &old)),
        Rejection::ReleaseRootProject {
            found: "other.example".to_owned(),
            wanted: PROJECT.to_owned(),
        },
    );
}

#[test]
fn rejects_a_root_before_its_time_and_after() {
    Scene::rejects(
        |scene| scene.now = Time(at(-10).0 - 1),
        Rejection::ReleaseRootNotYetValid { from: at(-10) },
    );
    Scene::rejects(
        |scene| scene.now = at(10),
        Rejection::ReleaseRootExpired { until: at(10) },
    );
}

#[test]
fn rejects_an_older_root_and_a_second_one_of_the_same_version() {
    let seen = |version, payload| SeenKeys {
        root: Some(SeenVersion {
            version,
            payload: crate::encoding::digest::Hex([payload; 32]),
        }),
        keys: None,
    };
    Scene::rejects(
        |scene| scene.seen = seen(2, 1),
        Rejection::ReleaseRootRolledBack { found: 1, seen: 2 },
    );
    Scene::rejects(
        |scene| scene.seen = seen(1, 1),
        Rejection::ReleaseRootVersionReused { version: 1 },
    );
}

#[test]
fn rejects_a_key_statement_of_an_unknown_root_or_another_project() {
    let wanted = Signer::new(10).key().id();
    Scene::rejects(
        |scene| scene.root = Signer::new(12),
        Rejection::ReleaseRootUnknown { wanted },
    );
    Scene::rejects(
        |scene| scene.keys.project = "other.example".to_owned(),
        Rejection::KeyStatementProject {
            found: "other.example".to_owned(),
            wanted: PROJECT.to_owned(),
        },
    );
    let scene = Scene::new();
    let unsigned = scene.keys.envelope();
    let forged = unsigned
        .clone()
        .with_signature(&scene.root.key(), vec![0; 64]);
    for (statement, expected) in [
        (unsigned, Rejection::EnvelopeUnsigned),
        (forged, Rejection::EnvelopeSignature { key: wanted }),
    ] {
        let found = scene.verify_as(statement.to_json().as_bytes(), &scene.manifest());
        assert_eq!(found.map(|_| ()), Err(expected));
    }
}

#[test]
fn rejects_a_key_statement_before_its_time_and_after() {
    Scene::rejects(
        |scene| scene.keys.issued = Time(NOW.0 + 1),
        Rejection::KeyStatementNotYetValid {
            from: Time(NOW.0 + 1),
        },
    );
    Scene::rejects(
        |scene| scene.keys.expires = NOW,
        Rejection::KeyStatementExpired { until: NOW },
    );
}

#[test]
fn rejects_an_older_key_statement_and_a_second_one_of_the_same_version() {
    let seen = |version| SeenKeys {
        root: None,
        keys: Some(SeenVersion {
            version,
            payload: crate::encoding::digest::Hex([1; 32]),
        }),
    };
    Scene::rejects(
        |scene| scene.seen = seen(4),
        Rejection::KeyStatementRolledBack { found: 3, seen: 4 },
    );
    Scene::rejects(
        |scene| scene.seen = seen(3),
        Rejection::KeyStatementVersionReused { version: 3 },
    );
}

#[test]
fn rejects_a_release_key_that_is_not_vouched_for_or_of_another_role() {
    let root = Signer::new(10).key().id();
    let refused = Rejection::ReleaseKeyNotVouched { root };
    Scene::rejects(|scene| scene.release = Signer::new(21), refused.clone());
    Scene::rejects(|scene| scene.release = Signer::new(30), refused.clone());
    // The root itself cannot sign releases.
    Scene::rejects(|scene| scene.release = Signer::new(10), refused);
}

#[test]
fn rejects_a_revoked_release_key_whether_it_is_still_listed_or_not() {
    let key = Signer::new(20).key().id();
    let revoke = |scene: &mut Scene| {
        scene.keys.revoked.push(RevokedKey {
            key,
            since: at(-1),
            why: "stolen".to_owned(),
        });
    };
    Scene::rejects(revoke, Rejection::ReleaseKeyRevoked { key });
    Scene::rejects(
        |scene| {
            revoke(scene);
            scene.keys.keys.remove(0);
        },
        Rejection::ReleaseKeyRevoked { key },
    );
    // Another key's signature next to it counts.
    let other = Signer::new(21);
    let mut scene = Scene::new();
    revoke(&mut scene);
    scene.keys.keys.push(vouched(Role::Release, &other));
    let envelope = release(7).envelope(files());
    let signature = scene.release.sign(&envelope.to_be_signed());
    let manifest = other.seal(envelope.with_signature(&scene.release.key(), signature));
    let (_, found) = scene
        .verify_as(&scene.statement(), &manifest)
        .expect("verified");
    assert_eq!(found.signer, other.key().id());
}

#[test]
fn rejects_a_release_key_before_its_time_and_after() {
    let key = Signer::new(20).key().id();
    let from = Time(NOW.0 + 1);
    Scene::rejects(
        |scene| scene.keys.keys[0].not_before = from,
        Rejection::ReleaseKeyNotYetValid { key, from },
    );
    Scene::rejects(
        |scene| scene.keys.keys[0].expires = NOW,
        Rejection::ReleaseKeyExpired { key, until: NOW },
    );
}

#[test]
fn rejects_what_the_log_does_not_have() {
    for (logged, what) in [
        (0, "the root statement"),
        (1, "the key statement"),
        (2, "the manifest"),
    ] {
        Scene::rejects(
            |scene| scene.logged = logged,
            Rejection::LogEntryMissing { what },
        );
    }
    Scene::rejects(
        |scene| {
            let (old, new) = (Signer::new(10), Signer::new(11));
            scene.roots.push(second_root(&root(&new, 2), &old));
            scene.root = new;
            scene.logged = 1;
        },
        Rejection::LogEntryMissing {
            what: "a later root statement",
        },
    );
}

#[test]
fn rejects_a_log_whose_key_is_not_vouched_for_or_counts_no_more() {
    let root = Signer::new(10).key().id();
    let refused = Rejection::LogKeyNotVouched { root };
    Scene::rejects(|scene| scene.keys.keys.truncate(1), refused.clone());
    Scene::rejects(|scene| scene.keys.keys[1].expires = NOW, refused.clone());
    Scene::rejects(
        |scene| scene.keys.keys[1].not_before = Time(NOW.0 + 1),
        refused.clone(),
    );
    Scene::rejects(
        |scene| {
            scene.keys.revoked.push(RevokedKey {
                key: Signer::new(30).key().id(),
                since: at(-1),
                why: String::new(),
            });
        },
        refused,
    );
    Scene::rejects(
        |scene| scene.log = Signer::new(31),
        Rejection::CheckpointUnsigned {
            wanted: Signer::new(30).key().id(),
        },
    );
}

#[test]
fn rejects_a_log_that_shows_two_heads_at_once() {
    let scene = Scene::new();
    let (statement, manifest) = (scene.statement(), scene.manifest());
    let entries = [&scene.roots[0][..], &statement];
    let (one, other) = (
        proofs(&entries, &scene.log),
        proofs(&[&manifest], &scene.log),
    );
    let proof = |entry: &[u8]| one.get(entry).cloned();
    let published = Published {
        root: entries[0],
        later_roots: &[],
        keys: entries[1],
        proof: &proof,
    };
    let keys = published.keys(Development::Refused, NOW, SeenKeys::default());
    let mut keys = keys.expect("the keys");
    assert_eq!(
        keys.signed(&manifest, other.get(&manifest[..]).map(|it| &it[..]))
            .map(|_| ()),
        Err(Rejection::LogForked { size: 2 })
    );
}

#[test]
fn rejects_an_envelope_of_the_wrong_type_before_any_key_is_tried() {
    let scene = Scene::new();
    let manifest = scene.manifest();
    let found = scene.verify_as(&manifest, &manifest).map(|_| ());
    assert_eq!(
        found,
        Err(Rejection::EnvelopePayloadType {
            found: PAYLOAD_TYPE.to_owned(),
            wanted: KEYS
        })
    );
    let statement = scene.statement();
    assert_eq!(
        Root::named(&statement, Development::Refused).map(|_| ()),
        Err(Rejection::EnvelopePayloadType {
            found: KEYS.to_owned(),
            wanted: ROOT
        })
    );
    let mut signed = Scene::new();
    signed.release = Signer::new(20);
    let retyped = signed.release.seal(Envelope::of(ROOT, b"{}".to_vec()));
    assert_eq!(
        signed.verify_as(&signed.statement(), &retyped).map(|_| ()),
        Err(Rejection::EnvelopePayloadType {
            found: ROOT.to_owned(),
            wanted: PAYLOAD_TYPE
        })
    );
}

#[test]
fn rejects_statements_that_make_no_sense() {
    let what = |found: Result<(), Rejection>| match found {
        Err(Rejection::StatementMalformed { what }) => what,
        other => panic!("{other:?}"),
    };
    let signer = Signer::new(10);
    let name = "its project is not a valid name";
    let version = "its version is not from 1 to 2^53 - 1";
    let expires = "it expires before it is issued";
    let roots: [Change<RootStatement>; 5] = [
        (|it| it.project = "Releases".to_owned(), name),
        (|it| it.project = String::new(), name),
        (|it| it.version = 0, version),
        (|it| it.version = 1 << 53, version),
        (|it| it.expires = it.issued, expires),
    ];
    for (change, why) in roots {
        let mut statement = root(&signer, 1);
        change(&mut statement);
        let sealed = signer.seal(statement.envelope());
        let found = Root::named(&sealed, Development::Refused);
        assert_eq!(what(found.map(|_| ())), why);
    }
    let keys: [Change<KeyStatement>; 11] = [
        (|it| it.project = "a b".to_owned(), name),
        (|it| it.version = 0, version),
        (|it| it.version = 1 << 53, version),
        (|it| it.expires = it.issued, expires),
        (
            |it| it.keys = vec![it.keys[0].clone(); 65],
            "it has too many keys",
        ),
        (|it| it.keys.push(it.keys[0].clone()), "it has a key twice"),
        (
            |it| it.keys[0].expires = it.keys[0].not_before,
            "a key expires before it becomes valid",
        ),
        (
            |it| it.revoked = vec![revoked(""); 257],
            "it has too many keys",
        ),
        (
            |it| it.revoked = vec![revoked("a\u{1b}[2J")],
            "the reason for a revocation is too long, or has control characters",
        ),
        (
            |it| it.revoked = vec![revoked(&"x".repeat(257))],
            "the reason for a revocation is too long, or has control characters",
        ),
        (
            |it| it.keys[0].key = Signer::new(10).key(),
            "it lists the root key itself, which signs nothing but statements",
        ),
    ];
    for (change, why) in keys {
        let mut scene = Scene::new();
        change(&mut scene.keys);
        assert_eq!(what(scene.verify().map(|_| ())), why);
    }
    for payload in ["{", "{}", r#"{"project":"a","trusted":true}"#] {
        let sealed = signer.seal(Envelope::of(ROOT, payload.as_bytes().to_vec()));
        what(Root::named(&sealed, Development::Refused).map(|_| ()));
    }
}

fn revoked(why: &str) -> RevokedKey {
    RevokedKey {
        key: crate::encoding::digest::Hex([1; 32]),
        since: NOW,
        why: why.to_owned(),
    }
}

/// A project under the development root, whose log it signs as well.
fn development() -> Scene {
    let root = Signer::development();
    let log = Signer::development();
    let mut scene = Scene::new();
    scene.roots = vec![root.seal(self::root(&root, 1).envelope())];
    scene.keys.keys[1] = vouched(Role::Log, &log);
    Scene {
        root,
        log,
        development: Development::Named,
        ..scene
    }
}

#[test]
fn the_development_root_counts_only_where_it_is_named() {
    let mut scene = development();
    let (keys, _) = scene.verify().expect("named");
    assert!(keys.is_development());
    scene.development = Development::Refused;
    assert_eq!(scene.verify().map(|_| ()), Err(Rejection::DevelopmentKey));
}

#[test]
fn no_other_root_vouches_for_the_development_key() {
    for role in [Role::Release, Role::Log] {
        let vouched = vouched(role, &Signer::development());
        for development in [Development::Refused, Development::Named] {
            let mut scene = Scene::new();
            scene.keys.keys.push(vouched.clone());
            scene.development = development;
            assert_eq!(scene.verify().map(|_| ()), Err(Rejection::DevelopmentKey));
        }
    }
}

#[test]
fn the_development_root_is_followed_by_none_and_follows_none() {
    // Anyone could have signed its successor, and nothing would report that it rests on a public key.
    let old = Signer::development();
    let new = Signer::new(11);
    let mut scene = development();
    scene.roots.push(second_root(&root(&new, 2), &old));
    scene.root = new;
    assert_eq!(
        scene.verify().map(|_| ()),
        Err(Rejection::ReleaseRootNotVouched {
            old: old.key().id()
        })
    );
    let (old, new) = (Signer::new(10), Signer::development());
    let envelope = root(&new, 2).envelope();
    let signature = old.sign(&envelope.to_be_signed());
    let mut scene = Scene::new();
    scene.development = Development::Named;
    scene
        .roots
        .push(new.seal(envelope.with_signature(&old.key(), signature)));
    assert_eq!(scene.verify().map(|_| ()), Err(Rejection::DevelopmentKey));
}

#[test]
fn each_flipped_bit_of_a_statement_is_refused() {
    let scene = Scene::new();
    let (honest, manifest) = (scene.statement(), scene.manifest());
    for at in 0..honest.len() {
        for bit in 0..8 {
            let mut changed = honest.clone();
            changed[at] ^= 1 << bit;
            // What no signature covers may differ without effect: the key's name, which is a hint, and trailing white space.
            if let Ok((keys, _)) = scene.verify_as(&changed, &manifest) {
                assert_eq!(*keys.statement(), scene.keys, "byte {at}, bit {bit}");
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let scene = Scene::new();
        prop_assert!(Root::named(&bytes, Development::Named).is_err());
        prop_assert!(scene.verify_as(&bytes, &scene.manifest()).is_err());
        // The same for signed payloads.
        let keys = scene.root.seal(Envelope::of(KEYS, bytes.clone()));
        prop_assert!(scene.verify_as(&keys, &scene.manifest()).is_err());
        let root = scene.root.seal(Envelope::of(ROOT, bytes));
        prop_assert!(Root::named(&root, Development::Named).is_err());
    }
}
