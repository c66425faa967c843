//! NVIDIA: the SPDM report, opaque data, evidence as people keep it, reference manifests and OCSP answers.

use chrysalis_attestation::{
    Waivers,
    alone::gpus::{GpuQuestion, explain, verify as verify_gpus},
    encoding::digest::sha256,
    nvidia::{
        GpuCollateral, GpuEvidence, GpuPolicy, NvidiaRoots,
        evidence::{Form, read, read_chain},
        needs,
        ocsp::OcspAnswer,
        opaque::{Opaque, SwitchOpaque},
        policy::{Proof, Revocation, Wanted},
        rim,
        spdm::{REQUEST_SIZE, Report, Request},
    },
};

use super::{NOW, NVIDIA};
use crate::parts;

/// Question and answer, and what is inside the answer.
pub(super) fn spdm(bytes: &[u8]) {
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(
            Some(&request.encode()[..]),
            bytes.get(..REQUEST_SIZE),
            "a request came back changed"
        );
    }
    if let Ok(report) = Report::parse(bytes) {
        opaque(report.opaque);
    }
}

/// What the device says about itself.
pub(super) fn opaque(bytes: &[u8]) {
    let _ = Opaque::parse(bytes);
    let _ = SwitchOpaque::parse(bytes);
}

/// A report or JSON of any form, beside a chain or without one, and what would be fetched for it.
pub(super) fn evidence(bytes: &[u8]) {
    let [chain, report] = parts::split(bytes);
    let is_readable = read(report, None).is_ok_and(|gpus| !gpus.is_empty());
    let is_json = report.trim_ascii_start().starts_with(b"{");
    assert!(
        !is_readable || !is_json || Form::of(report).is_some(),
        "evidence was read whose form has no name"
    );
    for chain in [None, Some(chain)] {
        for gpu in read(report, chain).unwrap_or_default() {
            for id in needs::rim_ids(&gpu).unwrap_or_default() {
                assert!(
                    id.bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
                    "an id that may not stand in an address: {id}"
                );
            }
            needs::of_device(&gpu);
        }
    }
}

/// A manifest by itself, or in an answer of NVIDIA's service.
pub(super) fn rim(bytes: &[u8]) {
    if let Ok(answered) = rim::of_answer(bytes) {
        let found = rim::verify(&answered.rim, &NvidiaRoots::nvidia(), NOW);
        assert!(found.is_err(), "genuine under NVIDIA's root");
    }
    let found = rim::verify(bytes, &NvidiaRoots::nvidia(), NOW);
    assert!(found.is_err(), "genuine under NVIDIA's root");
    let chain = needs::of_rim(bytes).unwrap_or_default();
    if let Some(last) = chain.last() {
        let root = sha256(&[&last.issuer]);
        let named = NvidiaRoots::nvidia().and_simulated(root, root);
        let found = rim::verify(bytes, &named, NOW);
        assert!(
            found.map_or(true, |rim| rim.simulated),
            "a simulated root passed in silence"
        );
    }
}

/// What a manifest says, which is read only once it is signed: here by the simulated NVIDIA, whatever it says.
pub(super) fn rim_content(bytes: &[u8]) {
    let signed = NVIDIA.sign_manifest(&String::from_utf8_lossy(bytes));
    rim(&signed);
}

/// An answer by itself: it is read before any GPU is looked at.
pub(super) fn ocsp(bytes: &[u8]) {
    judge(&[], &collateral([bytes], []), &NvidiaRoots::nvidia());
}

/// A GPU with both manifests and answers about all of it.
pub(super) fn verify(bytes: &[u8]) {
    let [answers @ .., driver, vbios, chain, report] = parts::split::<10>(bytes);
    let answers = answers.into_iter();
    let answers = answers.filter(|answer| !answer.is_empty());
    let collateral = collateral(answers, [driver, vbios]);
    let chain = read_chain(chain).unwrap_or_default();
    let device = chain.last().map(|root| sha256(&[root]));
    let gpu = GpuEvidence {
        report: report.to_vec(),
        chain,
    };
    let evidence = [gpu];
    judge(&evidence, &collateral, &NvidiaRoots::nvidia());
    let manifest = needs::of_rim(driver).unwrap_or_default();
    if let (Some(device), Some(last)) = (device, manifest.last()) {
        let named = NvidiaRoots::nvidia().and_simulated(device, sha256(&[&last.issuer]));
        judge(&evidence, &collateral, &named);
    }
}

fn collateral<'a>(
    answers: impl IntoIterator<Item = &'a [u8]>,
    rims: impl IntoIterator<Item = &'a [u8]>,
) -> GpuCollateral {
    GpuCollateral {
        rims: rims.into_iter().map(<[u8]>::to_vec).collect(),
        ocsp: answers
            .into_iter()
            .map(|der| OcspAnswer {
                der: der.to_vec(),
                nonce: None,
            })
            .collect(),
    }
}

/// To the first failure, and through every check: neither may call anything genuine but what says that it is simulated.
fn judge(evidence: &[GpuEvidence], collateral: &GpuCollateral, roots: &NvidiaRoots) {
    let request = evidence.first().map(|gpu| Request::parse(&gpu.report));
    let nonce = match request {
        Some(Ok(request)) => request.nonce,
        _ => [0; 32],
    };
    let policy = GpuPolicy {
        proof: Proof {
            revocation: Revocation::Stapled,
            ..Proof::complete()
        },
        wanted: Wanted::any("fuzzing"),
    };
    let question = GpuQuestion {
        nonce: &nonce,
        roots,
        collateral,
        policy: Some(&policy),
        waivers: Waivers::none(),
        now: NOW,
    };
    let explained = explain(evidence, &question);
    let verified = verify_gpus(evidence, &question);
    assert_eq!(
        explained.is_ok(),
        verified.is_ok(),
        "explained otherwise than verified"
    );
    assert!(
        verified.map_or(true, |it| it.simulated()),
        "genuine, and not one byte is NVIDIA's"
    );
}
