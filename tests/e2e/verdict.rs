//! What programs read: the verdict as JSON, checked against docs/spec/verdict.schema.json, and as an attestation result.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::sync::LazyLock;

use chrysalis_attestation::{
    Collateral, Question, Refusal, Rejection, Trusted, Unverified, Verdict, Waivers,
    encoding::digest::Hex, policy::ReleasePolicy, release::DEVELOPMENT_ROOT, roots::Roots,
};
use chrysalis_simulate::Amd;
use chrysalis_tests::{
    composite::{Machine, SESSION, SPKI, Vendor, roots},
    scene::{self, NOW},
    schema::{faults, schema},
};
use serde_json::json;

static AMD: LazyLock<Amd> =
    LazyLock::new(|| scene::vendor(env!("CARGO_TARGET_TMPDIR"), "amd").unwrap());

/// Verdicts of every word, on both platforms, with and without GPUs.
fn results() -> Vec<Result<Trusted, Refusal>> {
    let mut refused = Machine::honest(&AMD, Vendor::Amd);
    refused.policy.gpu = None;
    let mut without = Machine::honest(&AMD, Vendor::Amd);
    without.gpus = 0;
    without.policy.gpu = None;
    let machines = [
        Machine::honest(&AMD, Vendor::Amd),
        Machine::honest(&AMD, Vendor::Intel).with_two_gpus(),
        Machine::honest(&AMD, Vendor::Intel).with_switches(),
        without,
        refused,
    ];
    machines.iter().map(Machine::verdict).collect()
}

#[test]
fn every_verdict_fits_the_schema() {
    let schema = schema();
    for result in results() {
        let json = serde_json::to_value(Verdict::of(&result)).unwrap();
        assert_eq!(faults(schema, &json, ""), [""; 0], "{json:#}");
    }
}

#[test]
fn what_is_explained_or_bound_to_nothing_fits_the_schema() {
    let schema = schema();
    let mut machine = Machine::honest(&AMD, Vendor::Amd);
    machine.endorsements.ocsp.clear();
    machine.endorsements.crls.clear();
    let waivers = Waivers {
        session: Some("a test".to_owned()),
        crl: Some("a test".to_owned()),
        ocsp: Some("a test".to_owned()),
        ..Waivers::default()
    };
    let none = &Collateral::default();
    let explained = Unverified::new(machine.evidence()).explain(&Question {
        roots: &machine.policy.roots(),
        collateral: none,
        now: NOW,
        conversation: Some((&SESSION, SPKI)),
        agreement: None,
        policy: Some(&machine.policy),
        waivers: &Waivers::default(),
    });
    let refusal = explained.as_ref().unwrap_err();
    let codes: Vec<_> = refusal.rejections().map(Rejection::code).collect();
    assert_eq!(codes.first(), Some(&"revocation_unchecked"), "{codes:?}");
    let json = serde_json::to_value(Verdict::of(&explained)).unwrap();
    assert_eq!(faults(schema, &json, ""), [""; 0], "{json:#}");

    let unbound = Unverified::new(machine.evidence())
        .authenticate(&machine.policy.roots(), none, NOW)
        .and_then(|authentic| authentic.without_conversation(&waivers))
        .unwrap();
    assert_eq!(unbound.gpus().len(), 1);
    assert!(unbound.simulated());
    let json = serde_json::to_value(Verdict::from(&unbound)).unwrap();
    assert_eq!(faults(schema, &json, ""), [""; 0], "{json:#}");
    let mut open = json["checks"].as_array().unwrap().iter();
    assert!(open.any(|it| it["step"] == "bind-4" && it["outcome"] == "not_checked"));
}

#[test]
fn the_schema_tells_a_verdict_from_another_thing() {
    let trusted = Machine::honest(&AMD, Vendor::Amd).verdict();
    let mut json = serde_json::to_value(Verdict::of(&trusted)).unwrap();
    json["verdict"] = json!("fine");
    json["claims"]["gpus"][0]["driver"] = json!(550);
    json["claims"]["more"] = json!(1);
    json.as_object_mut().unwrap().remove("checks");
    let mut found = faults(schema(), &json, "");
    found.sort();
    let expected = [
        "/checks is missing",
        "/claims/gpus/0/driver is integer",
        "/claims/more is unknown",
        "/verdict is \"fine\"",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_verdict_without_a_policy_is_genuine_and_fits_the_schema() {
    let machine = Machine::honest(&AMD, Vendor::Intel);
    let all = roots(&AMD);
    let accepted = all
        .iter()
        .fold(Roots::vendors(), |roots, root| roots.and_simulated(*root));
    let genuine = Unverified::new(machine.evidence())
        .authenticate(&accepted, &Collateral::default(), NOW)
        .and_then(|authentic| authentic.bind(&SESSION, SPKI))
        .and_then(|it| it.without_policy(&Waivers::default()))
        .unwrap();
    let json = serde_json::to_value(Verdict::from(&genuine)).unwrap();
    assert_eq!(json["verdict"], "genuine");
    assert_eq!(json["claims"]["gpus"][0]["driver"], "550.90.07");
    assert_eq!(faults(schema(), &json, ""), [""; 0]);
    // Production roots know no simulation, with a policy or without.
    let refused = Unverified::new(machine.evidence())
        .authenticate(&Roots::vendors(), &Collateral::default(), NOW)
        .unwrap_err();
    assert_eq!(refused.rejection.code(), "tdx_simulated_root_refused");
}

/// draft-ietf-rats-ear-04: docs/spec/ear.md.
#[test]
fn an_attestation_result_tells_simulated_hardware_from_real() {
    let trusted = Machine::honest(&AMD, Vendor::Intel).verdict();
    let ear = Verdict::of(&trusted).ear(NOW);
    assert_eq!(ear["eat_profile"], "tag:ietf.org,2026:rats/ear#04");
    assert_eq!(ear["iat"], NOW.0);
    assert_eq!(
        ear["eat_nonce"],
        "Tk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk4"
    );
    let cpu = &ear["submods"]["cpu"];
    // Everything fits the policy but that it is no hardware.
    assert_eq!(
        cpu["ear_trustworthiness_vector"],
        json!({"configuration": 2, "executables": 2, "hardware": 96, "runtime-opaque": 96})
    );
    assert_eq!(cpu["ear_status"], "contraindicated");
    assert_eq!(cpu["ear_verifier_claims"]["result_is_unsigned"], true);
    assert_eq!(cpu["ear_attester_claims"]["status"], "UpToDate");
    assert_eq!(ear["submods"]["gpu0"]["ear_status"], "contraindicated");
}

#[test]
fn an_attestation_result_of_a_refusal_says_whose_it_is() {
    let mut machine = Machine::honest(&AMD, Vendor::Amd);
    machine.endorsements.rims.clear();
    let refused = machine.verdict();
    let ear = Verdict::of(&refused).ear(NOW);
    let gpu = &ear["submods"]["gpu"];
    assert_eq!(gpu["ear_trustworthiness_vector"], json!({"hardware": 96}));
    assert_eq!(gpu["ear_status"], "contraindicated");
    assert_eq!(gpu["ear_verifier_claims"]["code"], "rim_missing");
    assert_eq!(ear["submods"].as_object().unwrap().len(), 1);
}

#[test]
fn a_release_that_anyone_can_sign_is_told_in_every_output() {
    let mut machine = Machine::honest(&AMD, Vendor::Amd);
    machine.policy.release = Some(ReleasePolicy {
        name: "v1.2.3".to_owned(),
        root: DEVELOPMENT_ROOT,
        development: Some("a test".to_owned()),
    });
    let result = machine.verdict();
    let verdict = Verdict::of(&result);
    let warning = "development key: anyone can sign";
    let text = verdict.to_string();
    assert!(
        text.contains(&format!("matches release v1.2.3, {warning}\n")),
        "{text}"
    );
    assert!(
        text.contains(&format!("not checked: {warning} (a test)\n")),
        "{text}"
    );
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(faults(schema(), &json, ""), [""; 0]);
    assert!(json["checks"].to_string().contains(warning), "{json}");
    let cpu = &verdict.ear(NOW)["submods"]["cpu"];
    assert_eq!(
        cpu["ear_verifier_claims"]["release_key"],
        format!("{warning} (a test)")
    );
    assert_eq!(cpu["ear_trustworthiness_vector"]["executables"], 32);
    // Of any other root there is nothing to say against.
    machine.policy.release = Some(ReleasePolicy {
        name: "v1.2.3".to_owned(),
        root: Hex([1; 32]),
        development: None,
    });
    let result = machine.verdict();
    let verdict = Verdict::of(&result);
    let text = verdict.to_string();
    assert!(text.contains("matches release v1.2.3\n"), "{text}");
    assert!(!text.contains(warning), "{text}");
    let cpu = &verdict.ear(NOW)["submods"]["cpu"];
    assert_eq!(cpu["ear_trustworthiness_vector"]["executables"], 2);
}
