//! Manifests and statements, right and wrong. The keys come from seeds, so every file except P-256's is the same in every run.

use proptest::prelude::*;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};

use x509_parser::pem::parse_x509_pem;

use super::*;
use crate::{Rejection, Time, encoding::digest::Hex};

pub(crate) const NOW: Time = Time(1_800_000_000);
pub(super) const DAY: i64 = 86_400;
pub(super) const PROJECT: &str = "releases.example";
/// The prefix of an Ed25519 key's bytes (RFC 8410 §4).
const ED25519: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// So many days from now.
pub(super) fn at(days: i64) -> Time {
    Time(NOW.0 + days * DAY)
}

/// The development key, read with the explicit permission that it requires.
pub(crate) fn development() -> PublicKey {
    let file = include_bytes!("../../../measurements/releases/development/root.pub");
    PublicKey::read_with(file, Development::Named).expect("a key")
}

/// A signer.
pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(crate) fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed"))
    }

    /// The development key: its private half is in this repository.
    pub(crate) fn development() -> Self {
        let file = include_bytes!("../../../measurements/releases/development/root.pem");
        let (_, pem) = parse_x509_pem(file).expect("PEM");
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pem.contents);
        Self(pair.expect("an Ed25519 key"))
    }

    pub(crate) fn key(&self) -> PublicKey {
        let spki = [&ED25519[..], self.0.public_key().as_ref()].concat();
        PublicKey::from_spki_with(&spki, Development::Named).expect("a key")
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }

    pub(crate) fn seal(&self, envelope: Envelope) -> Vec<u8> {
        let signature = self.sign(&envelope.to_be_signed());
        envelope
            .with_signature(&self.key(), signature)
            .to_json()
            .into_bytes()
    }

    fn seal_text(&self, payload: &str) -> Vec<u8> {
        self.seal(Envelope::new(payload.as_bytes().to_vec()))
    }
}

pub(super) fn files() -> Vec<Subject> {
    vec![
        Subject::new("kernel", [1; 32]),
        Subject::new("initrd", [2; 32]),
    ]
}

pub(super) fn measurements(launch_digest: u8) -> Measurements {
    Measurements {
        snp: vec![SnpMeasurement {
            vcpus: 2,
            cpu: "EPYC-v4".to_owned(),
            guest_features: 1,
            simulated: false,
            launch_digest: Hex([launch_digest; 48]),
        }],
        tdx: vec![TdxMeasurement {
            simulated: false,
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

pub(super) fn release(epoch: u64) -> Release {
    Release {
        project: Some(PROJECT.to_owned()),
        release: "v1.2.3".to_owned(),
        epoch,
        issued: Time(NOW.0 - DAY),
        expires: Time(NOW.0 + DAY),
        inputs: Vec::new(),
        toolchain: None,
        measurements: measurements(5),
        minimum_tcb: std::collections::BTreeMap::new(),
    }
}

pub(crate) fn rebuild(signer: &Signer, launch_digest: u8) -> Vec<u8> {
    let rebuild = Rebuild {
        release: "v1.2.3".to_owned(),
        rebuilt: NOW,
        toolchain: None,
        measurements: measurements(launch_digest),
    };
    signer.seal(rebuild.envelope(files()))
}

pub(super) fn measured(launch_digest: u8) -> Measured {
    Measured::Snp {
        launch_digest: Hex([launch_digest; 48]),
    }
}

#[test]
fn the_pre_authentication_encoding_is_that_of_the_protocol() {
    // The example of DSSE's protocol.md.
    let encoded = pae("http://example.com/HelloWorld", b"hello world");
    assert_eq!(
        encoded,
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
}

#[test]
fn a_signed_manifest_says_what_was_signed() {
    let signer = Signer::new(1);
    let manifest = signer.seal(release(7).envelope(files()));
    let verified = Release::verify(&manifest, &signer.key(), PROJECT, NOW, None).expect("verified");
    assert_eq!(verified.files, files());
    assert_eq!(verified.release, release(7));
    assert_eq!(verified.seen.epoch, 7);
    let again = Release::verify(&manifest, &signer.key(), PROJECT, NOW, Some(verified.seen));
    assert_eq!(
        again,
        Ok(verified),
        "the release that was seen is not a rollback"
    );
}

#[test]
fn p256_signs_as_well_and_several_keys_may() {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key");
    let point: [u8; 65] = pair.public_key().as_ref().try_into().expect("65 bytes");
    let mut compressed = point;
    compressed[0] = 2;
    let refused = PublicKey::from_p256(compressed).map(drop);
    assert_eq!(refused, Err(Rejection::ReleaseKeyMalformed));
    let key = PublicKey::from_p256(point).expect("a key");
    assert_eq!(PublicKey::from_spki(&key.spki()), Ok(key.clone()));

    let envelope = release(7).envelope(files());
    let signature = pair
        .sign(&random, &envelope.to_be_signed())
        .expect("signed");
    let envelope = envelope.with_signature(&key, signature.as_ref().to_vec());
    let other = Signer::new(1);
    let manifest = other.seal(envelope);
    for key in [key, other.key()] {
        Release::verify(&manifest, &key, PROJECT, NOW, None).expect("verified");
    }
}

#[test]
fn rejects_a_manifest_that_is_changed_unsigned_or_somebody_elses() {
    let signer = Signer::new(1);
    let key = signer.key();
    let verify = |manifest: &[u8]| Release::verify(manifest, &key, PROJECT, NOW, None).map(|_| ());

    let other = Signer::new(2).seal(release(7).envelope(files()));
    let wanted = key.id();
    assert_eq!(
        verify(&other),
        Err(Rejection::EnvelopeKeyUnknown { wanted })
    );

    let signature = Signer::new(2).sign(b"another message");
    let wrong = release(7).envelope(files()).with_signature(&key, signature);
    let key_id = key.id();
    assert_eq!(
        verify(wrong.to_json().as_bytes()),
        Err(Rejection::EnvelopeSignature { key: key_id })
    );

    let unsigned = release(7).envelope(files()).to_json();
    assert_eq!(
        verify(unsigned.as_bytes()),
        Err(Rejection::EnvelopeUnsigned)
    );

    let manifest = String::from_utf8(signer.seal(release(7).envelope(files()))).expect("JSON");
    let retyped = manifest.replace("application/vnd.in-toto+json", "text/plain");
    let found = "text/plain".to_owned();
    assert_eq!(
        verify(retyped.as_bytes()),
        Err(Rejection::EnvelopePayloadType {
            found,
            wanted: PAYLOAD_TYPE
        })
    );
}

#[test]
fn rejects_what_is_no_envelope() {
    let key = Signer::new(1).key();
    let what = |bytes: &[u8]| match Release::verify(bytes, &key, PROJECT, NOW, None) {
        Err(Rejection::EnvelopeMalformed { what }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        what(&vec![b' '; MAX_ENVELOPE + 1]),
        "it has more than 1048576 bytes"
    );
    assert!(what(b"{}").starts_with("missing field `payload`"));
    let envelope = r#"{"payload":"*","payloadType":"","signatures":[]}"#;
    assert_eq!(what(envelope.as_bytes()), "`payload` is not base64");
    let extra = r#"{"payload":"","payloadType":"","signatures":[],"trust":"me"}"#;
    assert!(what(extra.as_bytes()).starts_with("unknown field `trust`"));
    let one = r#"{"sig":""}"#;
    let many = format!(
        r#"{{"payload":"","payloadType":"","signatures":[{}]}}"#,
        [one; 17].join(",")
    );
    assert_eq!(what(many.as_bytes()), "more than 16 signatures");
}

#[test]
fn rejects_a_statement_of_another_kind() {
    let signer = Signer::new(1);
    let verify =
        |manifest: &[u8]| Release::verify(manifest, &signer.key(), PROJECT, NOW, None).map(|_| ());
    assert_eq!(
        verify(&rebuild(&signer, 5)),
        Err(Rejection::StatementType {
            found: REBUILD.to_owned(),
            wanted: RELEASE
        })
    );
    let old = r#"{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"tag:chrysalis,2026:release/2"}"#;
    assert_eq!(
        verify(&signer.seal_text(old)),
        Err(Rejection::StatementType {
            found: "https://in-toto.io/Statement/v0.1".to_owned(),
            wanted: "https://in-toto.io/Statement/v1"
        })
    );
}

#[test]
fn rejects_a_signed_statement_that_makes_no_sense() {
    let signer = Signer::new(1);
    let what =
        |manifest: Vec<u8>| match Release::verify(&manifest, &signer.key(), PROJECT, NOW, None) {
            Err(Rejection::StatementMalformed { what }) => what,
            other => panic!("{other:?}"),
        };
    let seal = |release: Release| signer.seal(release.envelope(files()));
    assert_eq!(what(seal(release(1 << 53))), "its epoch is over 2^53 - 1");
    let expires = release(1).issued;
    assert_eq!(
        what(seal(Release {
            expires,
            ..release(1)
        })),
        "it expires before it is issued"
    );
    let measurements = Measurements::default();
    assert_eq!(
        what(seal(Release {
            measurements,
            ..release(1)
        })),
        "it has no measurements"
    );
    let twice = [files(), files()].concat();
    let about = "it is not about 1 to 64 files, each named once";
    assert_eq!(what(signer.seal(release(1).envelope(twice))), about);
    assert_eq!(what(signer.seal(release(1).envelope(Vec::new()))), about);
    assert!(what(signer.seal_text("{")).starts_with("EOF while parsing"));
    let typed = r#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"tag:chrysalis,2026:release/2""#;
    assert!(what(signer.seal_text(&format!("{typed}}}"))).starts_with("missing field `subject`"));
    let extra = format!(r#"{typed},"subject":[],"predicate":{{"epoch":1,"trusted":true}}}}"#);
    assert!(what(signer.seal_text(&extra)).starts_with("unknown field `trusted`"));
}

#[test]
fn rejects_a_release_before_its_time_and_after() {
    let signer = Signer::new(1);
    let manifest = signer.seal(release(7).envelope(files()));
    let at = |now| Release::verify(&manifest, &signer.key(), PROJECT, now, None).map(|_| ());
    let Release {
        issued, expires, ..
    } = release(7);
    assert_eq!(at(issued), Ok(()));
    assert_eq!(
        at(Time(issued.0 - 1)),
        Err(Rejection::ReleaseNotYetValid { from: issued })
    );
    assert_eq!(at(Time(expires.0 - 1)), Ok(()));
    assert_eq!(
        at(expires),
        Err(Rejection::ReleaseExpired { until: expires })
    );
}

#[test]
fn rejects_an_older_release_and_a_second_one_of_the_same_epoch() {
    let signer = Signer::new(1);
    let key = signer.key();
    let verify = |release: Release, seen| {
        Release::verify(
            &signer.seal(release.envelope(files())),
            &key,
            PROJECT,
            NOW,
            seen,
        )
    };
    let seen = verify(release(7), None).expect("verified").seen;
    let newer = verify(release(8), Some(seen)).expect("a step ahead");
    assert_eq!(
        verify(release(7), Some(newer.seen)).map(|_| ()),
        Err(Rejection::ReleaseRolledBack { found: 7, seen: 8 })
    );
    let other = Release {
        release: "v1.2.4".to_owned(),
        ..release(7)
    };
    assert_eq!(
        verify(other, Some(seen)).map(|_| ()),
        Err(Rejection::ReleaseEpochReused { epoch: 7 })
    );
}

#[test]
fn rejects_a_release_of_another_project() {
    let signer = Signer::new(1);
    let manifest = signer.seal(release(7).envelope(files()));
    let other = Release::verify(&manifest, &signer.key(), "other.example", NOW, None);
    assert_eq!(
        other.map(|_| ()),
        Err(Rejection::ReleaseProject {
            found: PROJECT.to_owned(),
            wanted: "other.example".to_owned()
        })
    );
}

#[test]
fn a_manifest_of_the_first_type_is_of_the_project_that_is_asked_for() {
    let signer = Signer::new(1);
    let first = Release {
        project: None,
        ..release(7)
    };
    let envelope = first.clone().envelope(files());
    let manifest = signer.seal(envelope);
    for project in [PROJECT, "other.example"] {
        let verified = Release::verify(&manifest, &signer.key(), project, NOW, None);
        assert_eq!(verified.expect("verified").release, first);
    }
    // Manifests that name a project have their own type: no verifier mistakes one for the other.
    let what =
        "its project is missing or not a valid name, or a manifest of the first type names one";
    let as_text = |release: Release| {
        let sealed = signer.seal(release.envelope(files()));
        let envelope = Envelope::parse(&sealed).expect("an envelope");
        String::from_utf8(envelope.unverified_payload().to_vec()).expect("JSON")
    };
    for text in [
        as_text(first).replace("release/1", "release/2"),
        as_text(release(7)).replace("release/2", "release/1"),
        as_text(release(7)).replace(PROJECT, "No Project"),
        as_text(release(7)).replace(PROJECT, ""),
    ] {
        let found = Release::signed(&signer.seal_text(&text), &signer.key());
        assert_eq!(
            found.map(|_| ()),
            Err(Rejection::StatementMalformed {
                what: what.to_owned()
            }),
            "{text}"
        );
    }
}

#[test]
fn nothing_reads_the_development_key_unless_it_is_named() {
    let spki = development().spki();
    let key: [u8; 32] = spki[12..].try_into().expect("32 bytes");
    let pem = include_bytes!("../../../measurements/releases/development/root.pub");
    for refused in [
        PublicKey::from_ed25519(key),
        PublicKey::from_spki(&spki),
        PublicKey::read(&spki),
        PublicKey::read(pem),
        PublicKey::read_with(pem, Development::default()),
    ] {
        assert_eq!(refused, Err(Rejection::DevelopmentKey));
    }
    assert!(development().is_development());
    assert_eq!(Signer::development().key(), development());
    assert!(!Signer::new(1).key().is_development());
}

#[test]
fn reads_the_keys_that_openssl_writes_and_no_others() {
    let key = Signer::new(1).key();
    let pem = |label: &str, der: &[u8]| {
        let text = data_encoding::BASE64.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n").into_bytes()
    };
    let spki = key.spki();
    assert_eq!(PublicKey::read(&spki), Ok(key.clone()));
    assert_eq!(PublicKey::read(&pem("PUBLIC KEY", &spki)), Ok(key));
    let two = [pem("PUBLIC KEY", &spki), pem("PUBLIC KEY", &spki)].concat();
    let mut compressed =
        hex::decode("3039301306072a8648ce3d020106082a8648ce3d030107032200").expect("hex");
    compressed.extend([2; 33]);
    for other in [
        Vec::new(),
        spki[..43].to_vec(),
        [&spki[..], &[0]].concat(),
        pem("PRIVATE KEY", &spki),
        two,
        compressed,
        vec![b'-'; 5000],
    ] {
        assert_eq!(PublicKey::read(&other), Err(Rejection::ReleaseKeyMalformed));
    }
}

#[test]
fn two_rebuilders_confirm_what_each_measured() {
    let [one, two] = [Signer::new(1), Signer::new(2)];
    let policy = Rebuilders {
        keys: vec![one.key(), two.key()],
        at_least: 2,
    };
    let statements = [rebuild(&one, 5), b"junk".to_vec(), rebuild(&two, 5)];
    assert_eq!(policy.confirm(&statements, &measured(5)), Ok(2));
    let registers = Measured::Tdx {
        mrtd: Hex([6; 48]),
        rtmr1: Hex([7; 48]),
        rtmr2: Hex([8; 48]),
    };
    assert_eq!(policy.confirm(&statements, &registers), Ok(2));
    let (said, files) = Rebuild::verify(&statements[0], &one.key()).expect("a statement");
    assert_eq!((said.release, files), ("v1.2.3".to_owned(), self::files()));
}

#[test]
fn rejects_an_image_that_too_few_rebuilders_confirm() {
    let [one, two, other] = [Signer::new(1), Signer::new(2), Signer::new(3)];
    let policy = Rebuilders {
        keys: vec![one.key(), two.key()],
        at_least: 2,
    };
    let too_few = |statements: &[Vec<u8>], found, what| {
        assert_eq!(
            policy.confirm(statements, &what),
            Err(Rejection::RebuildersTooFew {
                found,
                wanted: 2,
                measured: what.to_string()
            })
        );
    };
    too_few(&[], 0, measured(5));
    // The same key twice is one rebuilder; another image, an unknown key or a manifest confirms nothing.
    too_few(&[rebuild(&one, 5), rebuild(&one, 5)], 1, measured(5));
    too_few(&[rebuild(&one, 5), rebuild(&two, 4)], 1, measured(5));
    too_few(&[rebuild(&one, 5), rebuild(&other, 5)], 1, measured(5));
    let manifest = two.seal(release(1).envelope(files()));
    too_few(&[rebuild(&one, 5), manifest], 1, measured(5));
    let mixed = Measured::Tdx {
        mrtd: Hex([6; 48]),
        rtmr1: Hex([7; 48]),
        rtmr2: Hex([9; 48]),
    };
    too_few(&[rebuild(&one, 5), rebuild(&two, 5)], 0, mixed);
    // Nothing beyond the limit is read.
    let mut many = vec![Vec::new(); MAX_STATEMENTS];
    many.extend([rebuild(&one, 5), rebuild(&two, 5)]);
    too_few(&many, 0, measured(5));
}

#[test]
fn each_flipped_bit_of_a_manifest_is_refused() {
    let signer = Signer::new(1);
    let manifest = signer.seal(release(7).envelope(files()));
    let key = signer.key();
    for at in 0..manifest.len() {
        for bit in 0..8 {
            let mut changed = manifest.clone();
            changed[at] ^= 1 << bit;
            let verified = Release::verify(&changed, &key, PROJECT, NOW, None);
            // What no signature covers may differ without effect: the key's name, which is a hint, and trailing white space.
            if let Ok(verified) = verified {
                assert_eq!(verified.release, release(7), "byte {at}, bit {bit}");
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let signer = Signer::new(1);
        let key = signer.key();
        prop_assert!(Release::verify(&bytes, &key, PROJECT, NOW, None).is_err());
        prop_assert!(PublicKey::read(&bytes).is_err());
        // The same for a signed payload.
        prop_assert!(Release::verify(&signer.seal(Envelope::new(bytes.clone())), &key, PROJECT, NOW, None).is_err());
        prop_assert!(Rebuild::verify(&signer.seal(Envelope::new(bytes)), &key).is_err());
    }
}
