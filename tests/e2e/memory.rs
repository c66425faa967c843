//! A verifier that remembers comes to the verdict of one that does not, whatever has changed since.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::sync::LazyLock;

use chrysalis_attestation::{
    Memory, Refusal, Time, Trusted, Unverified,
    evidence::{Endorsements, Evidence},
};
use chrysalis_simulate::{Amd, nvidia::CertificateStatus};
use chrysalis_tests::{
    composite::{
        self, Machine, NVIDIA, SESSION, SPKI,
        Vendor::{self, Amd as OfAmd, Intel as OfIntel},
    },
    scene::{self, NOW},
};

static AMD: LazyLock<Amd> =
    LazyLock::new(|| scene::vendor(env!("CARGO_TARGET_TMPDIR"), "amd").unwrap());

fn machine(cpu: Vendor) -> Machine<'static> {
    Machine::honest(&AMD, cpu)
}

/// What a relying party with this memory makes of it.
fn verdict(machine: &Machine<'_>, memory: &Memory) -> Result<Trusted, Refusal> {
    Unverified::new(Evidence::decode(&machine.bundle())?)
        .remembered_by(memory)
        .authenticate(
            &machine.policy.roots(),
            &Endorsements::default(),
            machine.now,
        )?
        .bind(&SESSION, SPKI)?
        .appraise(&machine.policy)
}

/// A memory of the honest machine, verified twice.
fn warm(cpu: Vendor) -> Memory {
    let memory = Memory::new();
    for _ in 0..2 {
        assert!(verdict(&machine(cpu), &memory).is_ok());
    }
    memory
}

type Change = (&'static str, fn(&mut Machine<'static>));

/// Each makes trust a refusal, by its code.
#[rustfmt::skip]
const CHANGES: &[Change] = &[
    ("simulated_root_refused", |it| it.policy.simulation.clear()),
    ("revocation_unchecked", |it| it.endorsements.crls.clear()),
    ("root_missing", |it| drop(it.endorsements.certificates.drain(1..))),
    ("crl_expired", |it| it.now = Time(NOW.0 + 400 * 86_400)),
    ("ocsp_expired", |it| it.now = Time(NOW.0 + 3 * 86_400)),
    ("certificate_not_yet_valid", |it| it.now = Time(0)),
    ("ocsp_missing", |it| it.endorsements.ocsp.clear()),
    ("rim_missing", |it| it.endorsements.rims.clear()),
    ("ocsp_revoked", |it| {
        it.endorsements.ocsp = NVIDIA.clone().with_gpus(1).ocsp_with(NOW, None, |place, answer| {
            if place == 4 {
                answer.status = CertificateStatus::Revoked { since: NOW, reason: 1 };
            }
        });
    }),
    ("gpu_count_mismatch", |it| {
        let wanted = composite::policy_text(&composite::roots(&AMD)).replace("count = [1]", "count = [2]");
        it.policy = chrysalis_attestation::policy::Policy::parse(&wanted).unwrap();
    }),
    ("report_signature", |it| it.alter = |evidence| {
        let chrysalis_attestation::evidence::CpuReport::Snp(report) = &mut evidence.cpu else { unreachable!() };
        report[0x2A0 + 5] ^= 1;
    }),
    ("gpu_report_signature", |it| it.before_signing = |gpus| {
        let last = gpus[0].report.len() - 1;
        gpus[0].report[last] ^= 1;
    }),
    ("rim_digest", |it| {
        let text = String::from_utf8(it.endorsements.rims[0].clone()).unwrap();
        it.endorsements.rims[0] = text.replacen("active=\"False\"", "active=\"false\"", 1).into_bytes();
    }),
    ("nvidia_certificate_signature", |it| it.before_signing = |gpus| {
        let last = gpus[0].chain[2].len() - 1;
        gpus[0].chain[2][last] ^= 1;
    }),
];

#[test]
fn no_change_since_is_missed() {
    for (name, change) in CHANGES {
        let mut machine = machine(OfAmd);
        change(&mut machine);
        let cold = verdict(&machine, &Memory::none()).expect_err("it must be refused");
        let warm = verdict(&machine, &warm(OfAmd)).expect_err("it must be refused");
        assert_eq!(cold.rejection.code(), *name);
        assert_eq!(cold.rejection, warm.rejection, "{name}");
        assert_eq!(cold.transcript, warm.transcript, "{name}");
    }
}

#[test]
fn the_transcript_of_a_warm_verification_is_that_of_a_cold_one() {
    for cpu in [OfAmd, OfIntel] {
        let cold = verdict(&machine(cpu), &Memory::none()).unwrap();
        let warm = verdict(&machine(cpu), &warm(cpu)).unwrap();
        assert_eq!(cold.transcript(), warm.transcript());
        assert_eq!(cold.until(), warm.until());
    }
}

/// What another machine's vendors signed is of no use to this one's.
#[test]
fn a_memory_of_another_root_vouches_for_nothing() {
    let mut machine = machine(OfIntel);
    let memory = warm(OfIntel);
    let [amd, _, device, rim] = composite::roots(&AMD);
    machine.policy = composite::policy(&[amd, device, rim]);
    let refusal = verdict(&machine, &memory).unwrap_err();
    assert_eq!(refusal.rejection.code(), "tdx_simulated_root_refused");
    machine.policy = composite::policy(&composite::roots(&AMD));
    assert!(verdict(&machine, &memory).is_ok());
}

/// A refusal leaves nothing behind that would help the next.
#[test]
fn what_was_refused_is_not_remembered() {
    for (name, change) in CHANGES {
        let memory = Memory::new();
        let mut machine = machine(OfAmd);
        change(&mut machine);
        let first = verdict(&machine, &memory).unwrap_err();
        let second = verdict(&machine, &memory).unwrap_err();
        assert_eq!(first.rejection, second.rejection, "{name}");
    }
}
