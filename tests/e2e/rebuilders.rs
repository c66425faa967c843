//! What rebuilders signed, stapled by a provider: it counts by the policy's keys, and a stapled one about another image as nothing.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::sync::LazyLock;

use chrysalis_attestation::{
    Rejection, Verdict,
    encoding::digest::Hex,
    release::{
        Measured, Measurements, PublicKey, Rebuild, Rebuilders, SnpMeasurement, Subject,
        TdxMeasurement,
    },
};
use chrysalis_simulate::Amd;
use chrysalis_tests::{
    composite::{
        MRTD, Machine,
        Vendor::{self, Amd as OfAmd, Intel as OfIntel},
    },
    scene::{self, LAUNCH_DIGEST, NOW},
};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};

static AMD: LazyLock<Amd> =
    LazyLock::new(|| scene::vendor(env!("CARGO_TARGET_TMPDIR"), "amd").unwrap());

/// Somebody who rebuilds images.
struct Rebuilder(KeyPair);

impl Rebuilder {
    fn new() -> Self {
        Self(KeyPair::generate_for(&PKCS_ED25519).unwrap())
    }

    fn key(&self) -> PublicKey {
        PublicKey::from_ed25519(self.0.der_bytes().try_into().unwrap()).unwrap()
    }

    /// Their word that an image measures this on either platform.
    fn confirms(&self, launch_digest: [u8; 48], mrtd: [u8; 48]) -> Vec<u8> {
        let rebuild = Rebuild {
            release: "v1.2.3".to_owned(),
            rebuilt: NOW,
            toolchain: None,
            measurements: Measurements {
                snp: vec![SnpMeasurement {
                    vcpus: 2,
                    cpu: "EPYC-v4".to_owned(),
                    guest_features: 1,
                    simulated: false,
                    launch_digest: Hex(launch_digest),
                }],
                tdx: vec![TdxMeasurement {
                    simulated: false,
                    mrtd: Hex(mrtd),
                    rtmr1: Hex([0; 48]),
                    rtmr2: Hex([0; 48]),
                    rtmr0: Vec::new(),
                }],
            },
        };
        let envelope = rebuild.envelope(vec![Subject::new("kernel", [1; 32])]);
        let signature = self.0.sign(&envelope.to_be_signed()).unwrap();
        let sealed = envelope.with_signature(&self.key(), signature);
        sealed.to_json().into_bytes()
    }
}

/// A machine whose relying party wants all of them, and whose provider staples this.
fn machine(cpu: Vendor, wanted: &[&Rebuilder], stapled: Vec<Vec<u8>>) -> Machine<'static> {
    let mut machine = Machine::honest(&AMD, cpu);
    machine.policy.rebuilders = Some(Rebuilders {
        keys: wanted.iter().map(|rebuilder| rebuilder.key()).collect(),
        at_least: wanted.len(),
    });
    machine.endorsements.statements = stapled;
    machine
}

#[test]
fn stapled_statements_confirm_an_image_and_nobody_brings_a_file() {
    let [alice, bob] = [Rebuilder::new(), Rebuilder::new()];
    for cpu in [OfAmd, OfIntel] {
        let stapled = [&alice, &bob].map(|it| it.confirms(LAUNCH_DIGEST, MRTD));
        let verdict = machine(cpu, &[&alice, &bob], stapled.into()).verdict();
        assert!(verdict.is_ok(), "{}", Verdict::of(&verdict));
    }
}

#[test]
fn rejects_an_image_that_stapled_statements_of_others_or_about_others_confirm() {
    let [alice, bob, mallory] = [Rebuilder::new(), Rebuilder::new(), Rebuilder::new()];
    let good = alice.confirms(LAUNCH_DIGEST, MRTD);
    let mut changed = bob.confirms(LAUNCH_DIGEST, MRTD);
    changed[40] ^= 1;
    for nothing in [
        bob.confirms([0xEE; 48], [0xEE; 48]),
        mallory.confirms(LAUNCH_DIGEST, MRTD),
        good.clone(),
        changed,
        b"nonsense".to_vec(),
    ] {
        let stapled = vec![good.clone(), nothing];
        let refusal = machine(OfAmd, &[&alice, &bob], stapled)
            .verdict()
            .unwrap_err();
        let measured = Measured::Snp {
            launch_digest: Hex(LAUNCH_DIGEST),
        };
        assert_eq!(
            refusal.rejection,
            Rejection::RebuildersTooFew {
                found: 1,
                wanted: 2,
                measured: measured.to_string()
            }
        );
    }
}
