//! What verification leaves in a memory: only what was verified, and nothing that spares a judgement.

use super::alone::gpus::{GpuQuestion, verify_with};
use crate::{
    Memory, Rejection, Time, Unverified,
    encoding::digest::sha256,
    evidence::{Collateral, Endorsements, Evidence},
    nvidia::{GpuCollateral, NvidiaRoots, certificate::Signatures, rim::Document},
    policy::Policy,
    roots::Roots,
};

const BUNDLE: &[u8] = include_bytes!("../../../tests/vectors/bundle/snp-h100/bundle.cbor");
const POLICY: &str = include_str!("../../../tests/vectors/common/bundle/policy.toml");
/// 2026-12-01 12:00 UTC
const NOW: Time = Time(1_796_126_400);
const KINDS: [&str; 5] = [
    "AMD certificate",
    "AMD list",
    "device chain",
    "manifest",
    "responder",
];
/// How many of each an honest machine leaves: a chain of three, a list, a device's chain, two manifests, six answers.
const ALL: [usize; 5] = [3, 1, 1, 2, 6];

fn honest() -> Evidence {
    Evidence::decode(BUNDLE).expect("a bundle")
}

fn policy() -> Policy {
    Policy::parse(POLICY).expect("a policy")
}

/// Verifies the CPU and the GPUs, each by itself, so that a refusal of one does not spare the other; the codes of refusals.
fn verify(evidence: Evidence, roots: &Roots, now: Time, memory: &Memory) -> [Option<Rejection>; 2] {
    let nonce = evidence.gpus[0].claimed_nonce().expect("a report");
    let collateral = GpuCollateral {
        rims: evidence.endorsements.rims.clone(),
        ocsp: evidence.endorsements.ocsp.clone(),
    };
    let policy = policy();
    let question = GpuQuestion {
        policy: policy.gpu.as_ref(),
        ..GpuQuestion::new(&nonce, &roots.nvidia, &collateral, now)
    };
    let gpus = verify_with(&evidence.gpus, &question, memory);
    let own: Collateral = Endorsements::default();
    let cpu = Unverified::new(evidence).remembered_by(memory);
    let cpu = cpu.authenticate(roots, &own, now);
    [
        cpu.err().map(|it| it.rejection),
        gpus.err().map(|it| it.rejection),
    ]
}

fn kept(memory: &Memory) -> [usize; 5] {
    KINDS.map(|kind| memory.count(kind))
}

/// A memory of the honest machine.
fn warm() -> Memory {
    let memory = Memory::new();
    let found = verify(honest(), &policy().roots(), NOW, &memory);
    assert_eq!(found, [None, None]);
    memory
}

fn flip_last(bytes: &mut [u8]) {
    *bytes.last_mut().expect("not empty") ^= 1;
}

type Change = (&'static str, fn(&mut Evidence), [usize; 5]);

/// What somebody may change, and what is then left to remember: nothing of what was changed, and nothing that the walk then no longer
/// comes to.
#[rustfmt::skip]
const CHANGES: [Change; 7] = [
    ("nothing", |_| {}, ALL),
    ("a certificate of AMD's", |it| it.endorsements.certificates.iter_mut().for_each(|der| flip_last(der)), [0, 0, 1, 2, 6]),
    ("the list", |it| flip_last(&mut it.endorsements.crls[0]), [0, 0, 1, 2, 6]),
    ("a certificate of the device's", |it| flip_last(&mut it.gpus[0].chain[2]), [3, 1, 0, 0, 0]),
    ("a manifest", |it| {
        let text = String::from_utf8(it.endorsements.rims[0].clone()).expect("XML");
        it.endorsements.rims[0] = text.replacen("active=\"False\"", "active=\"false\"", 1).into_bytes();
    }, [3, 1, 1, 0, 6]),
    ("each answer", |it| it.endorsements.ocsp.iter_mut().for_each(|answer| flip_last(&mut answer.der)), [3, 1, 1, 0, 0]),
    ("more certificates, which nobody asked for", |it| {
        let more = it.gpus[0].chain.clone();
        it.endorsements.certificates.extend(more);
    }, ALL),
];

#[test]
fn only_what_was_verified_is_kept() {
    let found = CHANGES.map(|(name, change, _)| {
        let memory = Memory::new();
        let mut evidence = honest();
        change(&mut evidence);
        verify(evidence, &policy().roots(), NOW, &memory);
        (name, kept(&memory))
    });
    assert_eq!(found, CHANGES.map(|(name, _, left)| (name, left)));
}

#[test]
fn below_a_root_that_is_not_accepted_nothing_is_kept() {
    let memory = Memory::new();
    verify(honest(), &Roots::vendors(), NOW, &memory);
    assert_eq!(kept(&memory), [0; 5]);
}

#[test]
fn nobody_fills_it_with_what_is_refused() {
    let memory = warm();
    assert_eq!(kept(&memory), ALL);
    for place in 0..40 {
        let mut evidence = honest();
        let endorsements = &mut evidence.endorsements;
        let changed = evidence.gpus[0].chain[..4]
            .iter_mut()
            .chain(&mut endorsements.certificates)
            .chain(&mut endorsements.crls);
        for der in changed {
            let last = der.len() - 1 - place;
            der[last] ^= 1;
        }
        let found = verify(evidence, &policy().roots(), NOW, &memory);
        assert!(found.iter().all(Option::is_some));
        assert_eq!(kept(&memory), ALL);
    }
    assert_eq!(
        verify(honest(), &policy().roots(), NOW, &memory),
        [None, None]
    );
}

#[test]
fn roots_and_time_are_judged_whatever_is_remembered() {
    let memory = warm();
    for (roots, now, codes) in [
        (
            Roots::vendors(),
            NOW,
            ["simulated_root_refused", "gpu_simulated_root_refused"],
        ),
        (
            policy().roots(),
            Time(0),
            [
                "certificate_not_yet_valid",
                "nvidia_certificate_not_yet_valid",
            ],
        ),
        (
            policy().roots(),
            Time(i64::MAX),
            ["certificate_expired", "nvidia_certificate_expired"],
        ),
    ] {
        let warm = verify(honest(), &roots, now, &memory);
        assert_eq!(verify(honest(), &roots, now, &Memory::none()), warm);
        let found = warm.map(|it| it.expect("a refusal").code());
        assert_eq!(found, codes);
    }
}

#[test]
fn a_manifests_root_and_time_are_judged_whatever_is_remembered() {
    for memory in [warm(), Memory::none()] {
        let rims = honest().endorsements.rims;
        let document = Document::recall(&rims[0], &memory).expect("a manifest");
        let at = |roots: &NvidiaRoots, now| {
            let chain = document.chain(roots, now, &mut Signatures::default());
            chain.err().map(|it| it.code())
        };
        let roots = policy().roots().nvidia;
        assert_eq!(at(&roots, NOW), None);
        let early = Some("nvidia_certificate_not_yet_valid");
        assert_eq!(at(&roots, Time(0)), early);
        let late = Some("nvidia_certificate_expired");
        assert_eq!(at(&roots, Time(i64::MAX)), late);
        let foreign = Some("gpu_simulated_root_refused");
        assert_eq!(at(&NvidiaRoots::nvidia(), NOW), foreign);
        let supplied = document.supplied_chain();
        let root = sha256(&[supplied.last().expect("a root")]);
        let swapped = NvidiaRoots::nvidia().and_simulated(root, [0; 32]);
        assert_eq!(
            at(&swapped, NOW),
            foreign,
            "a device's root is no manifest's"
        );
    }
}
