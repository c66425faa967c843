//! A publisher whose root vouches for a key, which endorses the image of [`crate::scene`].

use chrysalis_attestation::{
    Time,
    encoding::digest::Hex,
    policy::ReleasePolicy,
    release::{
        Development, Endorsement, Envelope, KeyStatement, Measurements, PublicKey, Role,
        RootStatement, SnpMeasurement, Subject, TdxMeasurement, VouchedKey,
    },
};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};

use crate::{
    composite::MRTD,
    scene::{LAUNCH_DIGEST, NOW},
};

const DAY: i64 = 24 * 3600;
const PROJECT: &str = "releases.example";

/// Its keys, made anew for each test.
pub struct Publisher {
    root: KeyPair,
    release: KeyPair,
}

impl Default for Publisher {
    fn default() -> Self {
        let key = || KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        Self {
            root: key(),
            release: key(),
        }
    }
}

impl Publisher {
    /// A policy's `[release]` that wants an endorsement of the last week.
    pub fn wanted(&self) -> ReleasePolicy {
        ReleasePolicy {
            name: "v1.2.3".to_owned(),
            root: public(&self.root).id(),
            development: None,
            max_endorsement_age: Some(7 * DAY),
        }
    }

    /// What a provider staples: the root statement, the key statement, and an endorsement made an hour ago, with one change.
    pub fn stapled(&self, change: impl FnOnce(&mut Endorsement)) -> Vec<Vec<u8>> {
        let (issued, expires) = (Time(NOW.0 - 30 * DAY), Time(NOW.0 + 30 * DAY));
        let root = RootStatement {
            project: PROJECT.to_owned(),
            version: 1,
            issued,
            expires,
            key: public(&self.root),
        };
        let keys = KeyStatement {
            project: PROJECT.to_owned(),
            version: 1,
            issued,
            expires,
            keys: vec![VouchedKey {
                role: Role::Release,
                key: public(&self.release),
                not_before: issued,
                expires,
            }],
            revoked: Vec::new(),
        };
        let mut endorsement = Endorsement {
            project: PROJECT.to_owned(),
            release: "v1.2.3".to_owned(),
            epoch: 7,
            issued: Time(NOW.0 - 3600),
            until: Time(NOW.0 + 10 * DAY),
            measurements: measurements(),
        };
        change(&mut endorsement);
        let files = vec![Subject::new("kernel", [1; 32])];
        vec![
            seal(&self.root, root.envelope()),
            seal(&self.root, keys.envelope()),
            seal(&self.release, endorsement.envelope(files)),
        ]
    }
}

fn measurements() -> Measurements {
    Measurements {
        snp: vec![SnpMeasurement {
            vcpus: 2,
            cpu: "EPYC-v4".to_owned(),
            guest_features: 1,
            simulated: false,
            launch_digest: Hex(LAUNCH_DIGEST),
        }],
        tdx: vec![TdxMeasurement {
            simulated: false,
            mrtd: Hex(MRTD),
            rtmr1: Hex([0; 48]),
            rtmr2: Hex([0; 48]),
            rtmr0: Vec::new(),
        }],
    }
}

fn public(key: &KeyPair) -> PublicKey {
    let spki = key.subject_public_key_info();
    PublicKey::from_spki_with(&spki, Development::Refused).expect("an Ed25519 key")
}

fn seal(key: &KeyPair, envelope: Envelope) -> Vec<u8> {
    let signature = key.sign(&envelope.to_be_signed()).expect("a signature");
    let sealed = envelope.with_signature(&public(key), signature);
    sealed.to_json().into_bytes()
}
