//! The attacks of docs/spec/binding.md on a machine with GPUs and a CPU of either vendor: one lie a test, each with its own rejection.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::sync::LazyLock;

use chrysalis_attestation::{
    Collateral, Refusal, Time, Trusted, Unverified, Verdict,
    evidence::{
        CpuReport, Evidence,
        binding::{Anchor, Session},
    },
    roots::Roots,
    tdx::IntelCollateral as Intel,
    transcript::Expect,
};
use chrysalis_simulate::{
    Amd,
    intel::{TdProfile, collateral_json},
};
use chrysalis_tests::{
    composite::{
        INTEL, Machine, NVIDIA, SESSION, SPKI,
        Vendor::{self, Amd as OfAmd, Intel as OfIntel},
        policy, roots,
    },
    scene::{self, LAUNCH_DIGEST, NOW, claims},
};
use serde_json::{Value, json};

static AMD: LazyLock<Amd> =
    LazyLock::new(|| scene::vendor(env!("CARGO_TARGET_TMPDIR"), "amd").unwrap());

fn machine(cpu: Vendor) -> Machine<'static> {
    Machine::honest(&AMD, cpu)
}

#[track_caller]
fn refused(result: Result<Trusted, Refusal>, code: &str) {
    let refusal = result.expect_err("it must be refused");
    assert_eq!(refusal.rejection.code(), code, "{}", refusal.rejection);
    let last = refusal.transcript.checks().last().unwrap();
    assert_eq!(last.step, refusal.rejection.step(), "{last:?}");
}

#[test]
fn an_honest_machine_of_either_vendor_is_trusted_and_called_simulated() {
    for (cpu, line) in [
        (
            OfAmd,
            "cpu     AMD SEV-SNP, Genoa       SIMULATED, not AMD hardware, firmware at the floor",
        ),
        (
            OfIntel,
            "cpu     Intel TDX, module 1.7    SIMULATED, not Intel hardware, UpToDate",
        ),
    ] {
        let trusted = machine(cpu).verdict();
        let text = Verdict::of(&trusted).to_string();
        assert!(text.starts_with(line), "{text}");
        assert!(
            text.contains("\ngpu     NVIDIA Hopper, GH100     SIMULATED, not NVIDIA hardware, driver 550.90.07, 5 measurements match\n"),
            "{text}"
        );
        assert!(text.contains("\ntrusted (simulated) until "), "{text}");
        let trusted = trusted.unwrap();
        assert_eq!(trusted.tls_key(), SPKI);
        assert_eq!(trusted.gpus().len(), 1);
    }
}

#[test]
fn a_verdict_ends_with_the_first_thing_that_it_rests_on() {
    let trusted = machine(OfAmd).verdict().unwrap();
    let alone = {
        let mut alone = machine(OfAmd);
        alone.gpus = 0;
        alone.policy.gpu = None;
        alone.verdict().unwrap()
    };
    assert!(
        trusted.until() < alone.until(),
        "OCSP answers live for a day"
    );
    let mut later = machine(OfAmd);
    later.now = Time(trusted.until().0 + 1);
    refused(later.verdict(), "ocsp_expired");
}

#[test]
fn a_machine_with_switches_is_trusted_whole() {
    let trusted = machine(OfAmd).with_switches().verdict();
    let text = Verdict::of(&trusted).to_string();
    for line in [
        "\ngpu     NVIDIA Hopper, GH100 ×2  SIMULATED, not NVIDIA hardware, driver 550.90.07, 5 measurements match\n",
        "\nswitch  NVIDIA NVSwitch, LS10 ×2 SIMULATED, not NVIDIA hardware, firmware 96.10.55.00.01, 3 measurements match\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let json = serde_json::to_value(Verdict::of(&trusted)).unwrap();
    assert_eq!(json["claims"]["switches"].as_array().unwrap().len(), 2);
    assert_eq!(trusted.unwrap().switches().len(), 2);
}

#[test]
fn rejects_switches_that_were_dropped_or_did_not_answer_this_conversation() {
    let mut spliced = machine(OfIntel).with_switches();
    spliced.alter = |evidence| drop(evidence.gpus.pop());
    refused(spliced.verdict(), "binding_mismatch");
    let mut dropped = machine(OfIntel).with_switches();
    dropped.before_signing = |gpus| drop(gpus.pop());
    refused(dropped.verdict(), "fabric_mismatch");
    let mut none = machine(OfIntel).with_switches();
    none.before_signing = |gpus| gpus.truncate(2);
    refused(none.verdict(), "gpu_switches_unchecked");
    let mut stale = machine(OfIntel).with_switches();
    stale.before_signing = |gpus| gpus[3] = NVIDIA.fabric(2, 2)[3].evidence(&[7; 32]);
    refused(stale.verdict(), "gpu_nonce_mismatch");
}

// GPU evidence that is not what the CPU signed.

#[test]
fn rejects_gpu_evidence_that_was_spliced_dropped_doubled_or_reordered_on_the_way() {
    let lies: [fn(&mut Evidence); 4] = [
        |evidence| evidence.gpus[0] = NVIDIA.gpu(1).evidence(&[7; 32]),
        |evidence| evidence.gpus.truncate(1),
        |evidence| evidence.gpus.push(evidence.gpus[0].clone()),
        |evidence| evidence.gpus.reverse(),
    ];
    for cpu in [OfAmd, OfIntel] {
        for alter in lies {
            let mut machine = machine(cpu).with_two_gpus();
            assert!(machine.verdict().is_ok());
            machine.alter = alter;
            refused(machine.verdict(), "binding_mismatch");
        }
    }
}

// GPU evidence that a lying enclave has the CPU sign.

#[test]
fn rejects_a_gpu_that_answered_another_conversation_though_the_cpu_signed_it() {
    let mut machine = machine(OfAmd);
    machine.before_signing = |gpus| gpus[0] = NVIDIA.gpu(0).evidence(&[7; 32]);
    refused(machine.verdict(), "gpu_nonce_mismatch");
}

#[test]
fn rejects_another_machines_gpu_that_is_not_on_the_list_though_it_was_asked() {
    let mut machine = machine(OfAmd);
    let identity = machine.verdict().unwrap().gpus()[0].identity.clone();
    machine.policy.gpu.as_mut().unwrap().wanted.devices = Expect::AnyOf(vec![identity]);
    assert!(machine.verdict().is_ok());
    machine.before_signing = |gpus| {
        let nonce = Anchor::new(&SESSION, SPKI, &claims().encode()).gpu_nonce();
        gpus[0] = NVIDIA.gpu(1).evidence(&nonce);
    };
    machine.endorsements.ocsp = NVIDIA.ocsp(NOW, None);
    refused(machine.verdict(), "gpu_refused");
}

#[test]
fn rejects_a_dropped_gpu_though_the_cpu_signed_what_is_left() {
    let mut machine = machine(OfIntel).with_two_gpus();
    machine.before_signing = |gpus| gpus.truncate(1);
    refused(machine.verdict(), "gpu_count_mismatch");
    machine.before_signing = Vec::clear;
    refused(machine.verdict(), "gpu_count_mismatch");
}

#[test]
fn rejects_a_gpu_that_stands_for_two_though_the_cpu_signed_it() {
    let mut machine = machine(OfAmd).with_two_gpus();
    machine.before_signing = |gpus| gpus[1] = gpus[0].clone();
    refused(machine.verdict(), "gpu_twice");
}

/// The order has no meaning: whatever the CPU signed is what was asked.
#[test]
fn gpus_may_stand_in_any_order_that_the_cpu_signed() {
    let mut machine = machine(OfAmd).with_two_gpus();
    machine.before_signing = |gpus| gpus.reverse();
    assert_eq!(machine.verdict().unwrap().gpus().len(), 2);
}

/// Developer tools show as measurements that NVIDIA has not published: there is no bit for them.
#[test]
fn rejects_a_gpu_in_developer_mode() {
    let mut machine = machine(OfAmd);
    machine.gpu = |gpu| {
        gpu.measurements.insert(2, [0xDE; 48]);
    };
    refused(machine.verdict(), "measurement_mismatch");
}

#[test]
fn rejects_gpu_evidence_without_its_manifests_or_answers() {
    let mut bare = machine(OfAmd);
    bare.endorsements.rims.clear();
    refused(bare.verdict(), "rim_missing");
    let mut bare = machine(OfAmd);
    bare.endorsements.ocsp.clear();
    refused(bare.verdict(), "ocsp_missing");
    let mut asked = machine(OfAmd);
    let proof = &mut asked.policy.gpu.as_mut().unwrap().proof;
    proof.revocation = chrysalis_attestation::nvidia::policy::Revocation::Asked;
    refused(asked.verdict(), "ocsp_stapled_refused");
}

// The CPU.

#[test]
fn rejects_a_cpu_report_of_another_boot() {
    for cpu in [OfAmd, OfIntel] {
        let mut machine = machine(cpu);
        machine.alter = |evidence| {
            let key = b"the key of another boot";
            sign_again(evidence, &Session::Boot, key);
        };
        refused(machine.verdict(), "binding_mismatch");
        machine.alter = |evidence| sign_again(evidence, &Session::Boot, SPKI);
        refused(machine.verdict(), "not_fresh");
    }
}

/// What the same CPU says about another conversation.
fn sign_again(evidence: &mut Evidence, session: &Session, spki: &[u8]) {
    let gpus = chrysalis_attestation::evidence::encode_gpus(&evidence.gpus);
    let report_data = Anchor::new(session, spki, &evidence.claims).report_data(&gpus);
    evidence.cpu = match &evidence.cpu {
        CpuReport::Snp(_) => {
            let launch =
                chrysalis_simulate::Launch::new(LAUNCH_DIGEST, claims().configuration, [0x1D; 32]);
            CpuReport::Snp(AMD.sign_report(&launch, report_data).to_vec())
        }
        _ => CpuReport::Tdx {
            quote: INTEL.quote(&TdProfile {
                report_data,
                ..machine(OfIntel).td
            }),
            event_log: Vec::new(),
        },
    };
}

#[test]
fn rejects_collateral_of_another_platform_or_none() {
    let mut machine = machine(OfIntel);
    let mut statements = INTEL.statements(NOW);
    statements.tcb_info["fmspc"] = json!("00A06F000000");
    let other = collateral_json(&INTEL.issue(&statements));
    machine.endorsements.tdx = other.to_string().into_bytes();
    refused(machine.verdict(), "tcb_info_mismatch");
    machine.endorsements.tdx = b"{}".to_vec();
    refused(machine.verdict(), "tdx_collateral_malformed");
    machine.endorsements.tdx.clear();
    refused(machine.verdict(), "tdx_collateral_missing");
}

#[test]
fn rejects_a_td_that_the_policy_does_not_want() {
    let mut debugged = machine(OfIntel);
    debugged.td.attributes |= 1;
    refused(debugged.verdict(), "td_debug");
    let mut stale = machine(OfIntel);
    let statements = INTEL.statements(NOW).with_status("OutOfDate");
    let collateral = collateral_json(&INTEL.issue(&statements));
    stale.endorsements.tdx = collateral.to_string().into_bytes();
    refused(stale.verdict(), "tcb_status_refused");
    let mut another = machine(OfIntel);
    another.td.mrtd = [9; 48];
    refused(another.verdict(), "td_refused");
    let mut unexplained = machine(OfIntel);
    unexplained.policy.tdx.as_mut().unwrap().event_log_unchecked = None;
    refused(unexplained.verdict(), "event_log_missing");
    let mut measured = machine(OfIntel);
    measured.policy.tdx.as_mut().unwrap().pcrs = [(4, vec![[0; 32]])].into();
    refused(measured.verdict(), "vtpm_pcr_unquoted");
    let mut unwanted = machine(OfIntel);
    unwanted.policy.tdx = None;
    refused(unwanted.verdict(), "platform_unwanted");
}

/// The policy's SHA-384 decides, even where `[tdx]` leaves MRCONFIGID open.
#[test]
fn rejects_a_td_of_another_configuration() {
    let mut machine = machine(OfIntel);
    machine.td.mrconfigid = [9; 48];
    refused(machine.verdict(), "td_refused");
    let why = "configuration.sha384 decides".to_owned();
    machine.policy.tdx.as_mut().unwrap().mrconfigid = Expect::Unchecked { why };
    refused(machine.verdict(), "configuration_unknown");
    machine.policy.configuration.sha384 = None;
    refused(machine.verdict(), "configuration_unknown");
}

// Simulated vendors before a policy that does not name them.

#[test]
fn rejects_each_simulated_vendor_that_the_policy_does_not_name() {
    let all = roots(&AMD);
    for (cpu, without, code) in [
        (OfAmd, 0, "simulated_root_refused"),
        (OfIntel, 1, "tdx_simulated_root_refused"),
        (OfAmd, 2, "gpu_simulated_root_refused"),
        (OfAmd, 3, "gpu_simulated_root_refused"),
    ] {
        let mut named = all.to_vec();
        named.remove(without);
        let mut machine = machine(cpu);
        machine.policy = policy(&named);
        refused(machine.verdict(), code);
        machine.policy = policy(&[]);
        assert!(machine.verdict().is_err());
    }
}

/// Who authenticates may accept more than who appraises: both have to.
#[test]
fn rejects_simulated_roots_that_only_the_one_who_authenticates_accepts() {
    let all = roots(&AMD);
    let authenticating = all
        .iter()
        .fold(Roots::vendors(), |roots, root| roots.and_simulated(*root));
    for (cpu, named, code) in [
        (OfAmd, &[][..], "simulated_root_refused"),
        (OfIntel, &[], "tdx_simulated_root_refused"),
        (OfAmd, &all[..1], "gpu_simulated_root_refused"),
        (OfIntel, &all[..3], "gpu_simulated_root_refused"),
    ] {
        let bound = Unverified::new(machine(cpu).evidence())
            .authenticate(&authenticating, &Collateral::default(), NOW)
            .and_then(|authentic| authentic.bind(&SESSION, SPKI))
            .unwrap();
        refused(bound.appraise(&policy(named)), code);
    }
}

// Any other change.

/// What a verdict is about, all of it.
fn told(trusted: &Trusted) -> Value {
    serde_json::to_value(Verdict::from(trusted)).unwrap()["claims"].clone()
}

/// A bundle's content, as far as anything can depend on it: Intel's collateral is JSON whose lists and signatures are hex, in
/// letters of either case.
fn content(bundle: &[u8]) -> (Evidence, Option<Intel>) {
    let mut evidence = Evidence::decode(bundle).unwrap();
    let json = std::mem::take(&mut evidence.endorsements.tdx);
    let collateral = (!json.is_empty()).then(|| Intel::parse(&json).unwrap());
    (evidence, collateral)
}

/// One bit of each of these bytes; which one depends on the place, so that all eight are flipped somewhere.
///
/// Each flip is refused, or changes nothing at all. The verifier has to be given no more collateral than it needs for that: a
/// list of another authority, or an answer about another device, is as good as none.
fn flip(machine: &Machine<'_>, positions: impl IntoIterator<Item = usize>) {
    let honest = machine.bundle();
    let before = told(&machine.verdict_on(&honest).unwrap());
    for position in positions {
        let mut flipped = honest.clone();
        flipped[position] ^= 1 << ((position * 5 + position / 8) % 8);
        if let Ok(trusted) = machine.verdict_on(&flipped) {
            assert_eq!(
                content(&flipped),
                content(&honest),
                "byte {position} does not count"
            );
            assert_eq!(told(&trusted), before, "byte {position}");
        }
    }
}

/// Every byte of the claims with the item's frame before it, and of all else every 97th: some 1000 of 60 000.
#[test]
fn no_bundle_with_a_flipped_bit_is_trusted() {
    for cpu in [OfAmd, OfIntel] {
        let machine = machine(cpu);
        let bundle = machine.bundle();
        let claims = claims().encode();
        let at = |part: &[u8]| {
            let mut windows = bundle.windows(part.len());
            windows.position(|window| window == part).unwrap()
        };
        let (begin, end) = (at(b"claims"), at(&claims) + claims.len());
        flip(&machine, (0..bundle.len()).step_by(97));
        flip(&machine, begin..end);
    }
}
