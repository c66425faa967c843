//! Releases: envelopes, the statements in them, a log's checkpoints and proofs, and the keys that all of them are checked with.

use std::sync::LazyLock;

use chrysalis_attestation::{
    Time,
    encoding::digest::Hex,
    release::{
        Checkpoint, Development, Endorsement, Endorser, Envelope, Growth, HASH, Head, Inclusion,
        KEYS, KeyStatement, Measured, PublicKey, ROOT, Rebuild, Rebuilders, Release, Root,
        RootStatement, verify_inclusion,
    },
};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::NOW;
use crate::parts;

/// What the seeds' statements say was measured.
pub(crate) const MEASURED: Measured = Measured::Snp {
    launch_digest: Hex([5; 48]),
};

/// The project of the seeds.
pub(crate) const PROJECT: &str = "releases.example";

/// Signs whatever a target says: what is read only after its signature is reached no other way.
static SIGNER: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed"));

/// By which the seeds are signed.
pub(crate) fn key() -> PublicKey {
    let public = SIGNER.public_key().as_ref().try_into();
    let key = PublicKey::from_ed25519(public.expect("a key of Ed25519 has 32 bytes"));
    key.expect("it is not the development key")
}

/// Nobody signs with this one.
fn stranger() -> PublicKey {
    PublicKey::from_ed25519([9; 32]).expect("it is not the development key")
}

/// The envelope, signed.
pub(crate) fn seal(envelope: Envelope) -> Vec<u8> {
    let signature = sign(&envelope.to_be_signed());
    let sealed = envelope.with_signature(&key(), signature);
    sealed.to_json().into_bytes()
}

pub(crate) fn sign(message: &[u8]) -> Vec<u8> {
    SIGNER.sign(message).as_ref().to_vec()
}

/// An envelope as received: no matter who signed it, it counts for nothing under another key, and what is read can be written.
pub(super) fn envelope(bytes: &[u8]) {
    count(bytes);
    if let Ok(envelope) = Envelope::parse(bytes) {
        let again = Envelope::parse(envelope.to_json().as_bytes());
        assert_eq!(again, Ok(envelope), "an envelope came back changed");
    }
}

/// A statement, which is read only once it is signed: here by the key that counts, whatever it says.
pub(super) fn statement(bytes: &[u8]) {
    count(&seal(Envelope::new(bytes.to_vec())));
}

/// A root statement, as it comes and signed by the key that counts: it names its own key, and follows no root that did not sign it.
pub(super) fn root_statement(bytes: &[u8]) {
    for statement in [bytes.to_vec(), seal(Envelope::of(ROOT, bytes.to_vec()))] {
        if let Ok(root) = Root::named(&statement, Development::Named) {
            let said = root.statement();
            assert!(said.version > 0, "a version of zero");
            let of_another = RootStatement {
                key: stranger(),
                ..said.clone()
            };
            let next = seal(of_another.envelope());
            assert!(
                root.followed_by(&next).is_err(),
                "a root that nobody signed"
            );
        }
        let named = Root::named(&statement, Development::Refused);
        let development = named.is_ok_and(|root| root.statement().key.is_development());
        assert!(
            !development,
            "the development root counts, and nobody named it"
        );
    }
}

/// A key statement, which is read only once the root signed it: here by the key that counts, whatever it says.
pub(super) fn key_statement(bytes: &[u8]) {
    let root = Root::named(&root_of_seeds(), Development::Refused).expect("a root");
    let sealed = seal(Envelope::of(KEYS, bytes.to_vec()));
    if let Ok(said) = KeyStatement::signed(&sealed, &root) {
        let again = KeyStatement::signed(&seal(said.envelope()), &root);
        assert_eq!(again, Ok(said), "a key statement came back changed");
    }
}

/// The root whose key the seeds are signed by.
pub(crate) fn root_of_seeds() -> Vec<u8> {
    let statement = RootStatement {
        project: PROJECT.to_owned(),
        version: 1,
        issued: NOW,
        expires: Time(NOW.0 + 1),
        key: key(),
    };
    seal(statement.envelope())
}

fn count(envelope: &[u8]) {
    let (key, stranger) = (key(), stranger());
    if let Ok(signed) = Release::signed(envelope, &key) {
        let seen = signed.clone().current(PROJECT, NOW, None).map(|it| it.seen);
        if let Ok(seen) = seen {
            assert!(
                signed.current(PROJECT, NOW, Some(seen)).is_ok(),
                "the release that was seen is a step back"
            );
        }
    }
    let _ = Rebuild::verify(envelope, &key);
    if let Ok(endorsement) = Endorsement::verify(envelope, &key) {
        let days = (endorsement.until.0 - endorsement.issued.0) / 86_400;
        assert!((0..=14).contains(&days), "an endorsement for {days} days");
    }
    let nobodys = "what nobody signed counts";
    assert!(Release::signed(envelope, &stranger).is_err(), "{nobodys}");
    assert!(Rebuild::verify(envelope, &stranger).is_err(), "{nobodys}");
    let found = Endorsement::verify(envelope, &stranger);
    assert!(found.is_err(), "{nobodys}");
    let endorser = Endorser {
        root: stranger.id(),
        development: Development::Named,
        max_age: i64::MAX,
    };
    let stapled = [root_of_seeds(), envelope.to_vec()];
    let found = endorser.confirm(&stapled, &MEASURED, NOW);
    assert!(found.is_err(), "{nobodys}");
    let statements = [envelope.to_vec(), envelope.to_vec()];
    let confirm = |keys: Vec<PublicKey>, at_least| {
        Rebuilders { keys, at_least }.confirm(&statements, &MEASURED)
    };
    assert!(confirm(vec![stranger.clone()], 1).is_err(), "{nobodys}");
    assert!(
        confirm(vec![key, stranger], 2).is_err(),
        "one rebuilder counts as two"
    );
}

/// A checkpoint: if it is the log's, then it says exactly what the log signed.
pub(super) fn checkpoint(bytes: &[u8]) {
    assert!(
        Checkpoint::verify(bytes, &stranger()).is_err(),
        "signed by nobody, and taken"
    );
    if let Ok(found) = Checkpoint::verify(bytes, &key()) {
        let signed = found.to_be_signed();
        assert!(
            bytes.starts_with(signed.as_bytes()),
            "the log signed something else"
        );
        let note = found.note(&key(), &sign(signed.as_bytes()));
        let again = Checkpoint::verify(note.expect("a name").as_bytes(), &key());
        assert_eq!(again, Ok(found), "a checkpoint came back changed");
    }
}

/// A proof that an entry is in the log, and one that the log grew; both are read from what is left of the entry.
pub(super) fn proof(bytes: &[u8]) {
    let [entry, proof] = parts::split(bytes);
    if let Ok(inclusion) = Inclusion::parse(proof) {
        let text = inclusion.to_text();
        assert_eq!(text.as_bytes(), proof, "one proof has two texts");
    }
    if let Ok(growth) = Growth::parse(proof) {
        let text = growth.to_text();
        assert_eq!(text.as_bytes(), proof, "one proof has two texts");
        grown(&growth, proof);
    }
    assert!(
        verify_inclusion(entry, proof, &stranger()).is_err(),
        "in a log that nobody signed"
    );
    if let Ok(checkpoint) = verify_inclusion(entry, proof, &key()) {
        let other = [entry, b"?"].concat();
        assert!(
            verify_inclusion(&other, proof, &key()).is_err(),
            "one place has two entries"
        );
        checkpoint_of(&checkpoint);
    }
}

/// A tree of this size and another root cannot have grown by the same proof.
fn grown(growth: &Growth, proof: &[u8]) {
    let Ok(next) = Checkpoint::verify(growth.checkpoint.as_bytes(), &key()) else {
        return;
    };
    let head = Head {
        origin: next.origin.clone(),
        size: growth.old,
        root: Hex([0xEE; HASH]),
    };
    assert!(
        head.grew_into(&next, Some(proof)).is_err(),
        "a fork was taken for growth"
    );
}

fn checkpoint_of(checkpoint: &Checkpoint) {
    let head = checkpoint.head();
    assert!(
        head.grew_into(checkpoint, None).is_ok(),
        "a head is not its own successor"
    );
}

/// A key as people keep it.
pub(super) fn key_file(bytes: &[u8]) {
    if let Ok(key) = PublicKey::read(bytes) {
        assert_eq!(
            PublicKey::from_spki(&key.spki()),
            Ok(key),
            "a key came back changed"
        );
    }
}
