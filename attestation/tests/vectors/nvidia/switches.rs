//! Real switches, and the fabric of a real machine, of which the switches and half of the GPUs were asked, each with a nonce of
//! their own.

use std::collections::BTreeSet;

use chrysalis_attestation::{
    Rejection, Time, Verdict,
    alone::gpus::explain,
    nvidia::{
        GpuCollateral, GpuEvidence, Pdi,
        evidence::read,
        needs,
        opaque::{Opaque, SwitchOpaque},
        spdm::Report,
    },
    transcript::{Check, Outcome},
};

use super::{Case, array, vectors, with_rims, without_collateral};
use crate::expected::{bytes, codes, expected, failures};

/// 2026-09-01: the switch's RIM is valid.
const SEPTEMBER_2026: Time = Time(1_788_220_800);

fn evidence(file: &str) -> Option<Vec<GpuEvidence>> {
    Some(read(&bytes(vectors()?.join(file)), None).expect("evidence"))
}

fn gpus() -> Option<Vec<GpuEvidence>> {
    evidence("h100-590.12-multi4/multi_gpu_hopper.json")
}

/// Of the same machine as the GPUs.
fn switches() -> Option<Vec<GpuEvidence>> {
    evidence("switch-ls10/ppcie_switch_evidence.json")
}

fn nonce(of: &GpuEvidence) -> [u8; 32] {
    Report::parse(&of.report).expect("a report").request.nonce
}

fn case(evidence: Vec<GpuEvidence>, nonce: [u8; 32]) -> Case {
    Case {
        evidence,
        nonce,
        collateral: GpuCollateral::default(),
        policy: without_collateral(),
        now: SEPTEMBER_2026,
    }
}

fn explained(case: &Case) -> (Vec<&'static str>, Vec<Check>, Vec<Rejection>) {
    let explained = case.ask(explain);
    let checks = Verdict::of(&explained).checks().to_vec();
    (codes(&explained), checks, failures(&explained))
}

#[test]
fn gpus_and_switches_of_a_real_machine_name_each_other() {
    let (Some(gpus), Some(switches)) = (gpus(), switches()) else {
        return;
    };
    let opaque = |one: &GpuEvidence| {
        Report::parse(&one.report)
            .expect("a report")
            .opaque
            .to_vec()
    };
    let switches: Vec<_> = switches
        .iter()
        .map(|one| SwitchOpaque::parse(&opaque(one)).expect("opaque data"))
        .collect();
    let named: BTreeSet<Pdi> = switches.iter().map(|switch| switch.pdi).collect();
    assert_eq!(named.len(), 4);
    for gpu in &gpus {
        let gpu = Opaque::parse(&opaque(gpu)).expect("opaque data");
        assert_eq!(gpu.switches, named, "every GPU leads to all four");
    }
    for switch in &switches {
        assert_eq!((switch.gpus.len(), switch.lock), (8, 1));
        assert_eq!(switch.gpus, switches[0].gpus);
        assert_eq!(switch.firmware, "96.10.73.00.01");
    }
}

#[test]
fn half_of_a_machine_is_not_all_of_it() {
    let (Some(gpus), Some(switches)) = (gpus(), switches()) else {
        return;
    };
    let asked = nonce(&gpus[0]);
    let (codes, checks, failures) = explained(&case([gpus, switches].concat(), asked));
    // Everything about each of them holds, but that the switches were asked something else.
    assert_eq!(codes, ["gpu_nonce_mismatch", "fabric_mismatch"]);
    let Some(Rejection::FabricMismatch {
        device,
        named,
        there,
    }) = failures.last()
    else {
        panic!("{failures:?}");
    };
    assert_eq!(device, "switch 666e93e19dec7d2d");
    let list = |text: &str| text.split(", ").map(str::to_owned).collect::<BTreeSet<_>>();
    let (named, there) = (list(named), list(there));
    assert_eq!((named.len(), there.len()), (8, 4));
    assert!(there.is_subset(&named), "GPUs are certified by these names");
    let passed = |name| {
        let passed = |it: &&Check| it.name == name && it.outcome == Outcome::Passed;
        checks.iter().filter(passed).count()
    };
    assert_eq!(passed("report signature"), 8);
    assert_eq!(passed("switch identity"), 4);
    assert_eq!(passed("switch lock"), 4);
}

#[test]
fn what_is_fetched_for_a_switch_is_its_one_manifest() {
    let Some(switch) = evidence("switch-ls10/switch_evidence_ls10.json") else {
        return;
    };
    let id = "NV_SWITCH_BIOS_5612_0002_890_9610550001".to_owned();
    assert_eq!(needs::rim_ids(&switch[0]), Ok(vec![id]));
    assert_eq!(needs::of_device(&switch[0]).len(), 3);
}

#[test]
fn switches_of_a_machine_without_its_gpus_are_no_evidence() {
    let Some(switches) = switches() else { return };
    let asked = nonce(&switches[0]);
    assert_eq!(
        case(switches, asked).verify(),
        Err(Rejection::GpuEvidenceMissing)
    );
}

#[test]
fn one_switch_four_times_is_no_four_switches() {
    let (Some(gpus), Some(same)) = (gpus(), evidence("switch-ls10/multi_switch_ls10.json")) else {
        return;
    };
    let asked = nonce(&same[0]);
    let (codes, ..) = explained(&case([gpus, same].concat(), asked));
    assert!(codes.contains(&"gpu_twice"), "{codes:?}");
}

#[test]
fn a_real_switch_measures_what_nvidia_published() {
    let (Some(gpus), Some(switch), Some(vectors)) = (
        gpus(),
        evidence("switch-ls10/switch_evidence_ls10.json"),
        vectors(),
    ) else {
        return;
    };
    let folder = vectors.join("switch-ls10");
    let rim = bytes(folder.join("rim/NV_SWITCH_BIOS_5612_0002_890_9610550001.xml"));
    let asked = nonce(&switch[0]);
    let mut case = case([&gpus[..1], &switch].concat(), asked);
    case.policy = with_rims();
    case.collateral.rims = vec![rim.clone()];
    let of_the_switch = |case: &Case| {
        let (_, checks, _) = explained(case);
        let measured = checks
            .into_iter()
            .find(|it| it.name == "switch measurements");
        let measured = measured.expect("it was compared");
        (measured.outcome, measured.detail)
    };
    let active = &expected(&folder)["checks"]["rim"]["active"];
    assert_eq!(
        of_the_switch(&case),
        (Outcome::Passed, format!("{active} match"))
    );

    let report = &mut case.evidence[1].report;
    // The first value of the first block of measurements.
    report[37 + 8 + 7] ^= 1;
    let (outcome, _) = of_the_switch(&case);
    assert_eq!(outcome, Outcome::Failed);
    let (codes, ..) = explained(&case);
    assert!(codes.contains(&"gpu_report_signature"), "{codes:?}");

    case.collateral.rims.clear();
    let (codes, ..) = explained(&case);
    assert_eq!(codes.iter().filter(|it| **it == "rim_missing").count(), 3);
}

#[test]
fn no_flipped_bit_of_a_switchs_answer_is_signed() {
    let Some(switches) = switches() else { return };
    let asked = nonce(&switches[0]);
    let gpu = gpus().expect("beside them").remove(0);
    let honest = explained(&case(vec![gpu.clone(), switches[0].clone()], asked)).0;
    assert!(!honest.contains(&"gpu_report_signature"), "{honest:?}");
    for place in (0..switches[0].report.len()).step_by(7) {
        let mut switch = switches[0].clone();
        switch.report[place] ^= 1;
        let (codes, ..) = explained(&case(vec![gpu.clone(), switch], asked));
        let refused = [
            "gpu_report_signature",
            "gpu_report_malformed",
            "gpu_report_truncated",
        ];
        assert!(
            codes.iter().any(|code| refused.contains(code)) || codes.len() > honest.len(),
            "byte {place}: {codes:?}"
        );
    }
}

#[test]
fn a_nonce_in_hex_is_the_one_in_the_report() {
    let Some(switches) = switches() else { return };
    let asked = "4760e30534a0621357d458b1a7936551b5dc4cd1e69718adf7ed9fb0252a537e";
    assert!(switches.iter().all(|it| nonce(it) == array(asked)));
}
