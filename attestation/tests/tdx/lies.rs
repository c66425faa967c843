//! Every refusal of these steps, each by one lie told by or about an honest TD.

use std::collections::BTreeSet;

use chrysalis_attestation::{
    Rejection, Time,
    alone::tdx::explain,
    tdx::{
        IntelCollateral, IntelRoots, Status,
        attributes::{DEBUG, MIGRATABLE, PERFMON, SEPT_VE_DISABLE, SERVTD_EXT},
        policy::{BootEvent, Evaluation, NOTHING_ASKED},
        report::Layout,
        split_answer,
    },
    transcript::{Expect, Outcome},
};
use chrysalis_simulate::{
    Curve, Signer,
    intel::{QuoteVersion, event_log},
};
use serde_json::json;

use super::scene::{Case, NOW, Scene, WHY, failures};

const YEAR: i64 = 365 * 24 * 3600;

enum Lie {
    /// In what is signed.
    Signed(fn(&mut Scene)),
    /// In what arrives, or is wanted.
    Arrived(fn(&mut Case)),
}
use Lie::{Arrived, Signed};

/// Moves both revocation lists by so many seconds.
fn move_lists(scene: &mut Scene, seconds: i64) {
    let statements = &mut scene.statements;
    for list in [&mut statements.root_list, &mut statements.pck_list] {
        list.this_update.0 += seconds;
        list.next_update = list.next_update.map(|it| Time(it.0 + seconds));
    }
}

/// Changes the last byte, which belongs to a signature.
fn spoil(case: &mut Case, field: &str) {
    let mut bytes = hex::decode(case.collateral[field].as_str().expect("hex")).expect("hex");
    *bytes.last_mut().expect("bytes") ^= 1;
    case.collateral[field] = json!(hex::encode(bytes));
}

const LIES: &[(&str, Lie)] = &[
    (
        "quote_too_large",
        Arrived(|case| case.quote = vec![0; 65_537]),
    ),
    ("quote_truncated", Arrived(|case| case.quote.truncate(1000))),
    ("quote_malformed", Arrived(|case| case.quote[50] ^= 1)),
    ("quote_version", Arrived(|case| case.quote[0] = 6)),
    ("quote_key_type", Arrived(|case| case.quote[2] = 3)),
    ("quote_tee_type", Arrived(|case| case.quote[4] = 0x82)),
    (
        "quote_of_enclave",
        Signed(|scene| scene.td.version = QuoteVersion::Enclave),
    ),
    ("quote_body_type", Arrived(|case| case.quote[48] = 5)),
    ("quote_vendor", Arrived(|case| case.quote[12] ^= 1)),
    (
        "quote_certification",
        Signed(|scene| scene.td.certification = 1),
    ),
    ("quote_trailing", Arrived(|case| case.quote.push(1))),
    (
        "intel_certificate_malformed",
        Signed(|scene| scene.intel.pck.der = vec![0x30, 0]),
    ),
    (
        "intel_certificate_profile",
        Signed(|scene| scene.reissue(|it| "Somebody".clone_into(&mut it.common_name))),
    ),
    (
        "intel_certificate_signature",
        Signed(|scene| *scene.intel.pck.der.last_mut().expect("bytes") ^= 1),
    ),
    (
        "intel_certificate_expired",
        Signed(|scene| scene.reissue(|it| it.not_after = Time(NOW.0 - 1))),
    ),
    (
        "intel_certificate_not_yet_valid",
        Signed(|scene| scene.reissue(|it| it.not_before = Time(NOW.0 + 1))),
    ),
    (
        "pck_chain_length",
        Signed(|scene| scene.td.chain_length = 2),
    ),
    (
        "intel_root_unknown",
        Arrived(|case| {
            let other = Scene::of_another().case().collateral;
            case.collateral["tcb_info_issuer_chain"] = other["tcb_info_issuer_chain"].clone();
        }),
    ),
    (
        "tdx_simulated_root_refused",
        Arrived(|case| case.roots = IntelRoots::intel()),
    ),
    (
        "intel_crl_malformed",
        Arrived(|case| case.collateral["root_ca_crl"] = json!("3000")),
    ),
    (
        "intel_crl_issuer",
        Arrived(|case| case.collateral["pck_crl"] = case.collateral["root_ca_crl"].clone()),
    ),
    (
        "intel_crl_signature",
        Arrived(|case| spoil(case, "pck_crl")),
    ),
    (
        "intel_crl_expired",
        Signed(|scene| move_lists(scene, -YEAR)),
    ),
    (
        "intel_crl_not_yet_valid",
        Signed(|scene| move_lists(scene, YEAR)),
    ),
    (
        "intel_certificate_revoked",
        Signed(|scene| scene.statements.pck_list.revoked = vec![scene.intel.pck.serial()]),
    ),
    (
        "tdx_collateral_too_large",
        Arrived(|case| case.collateral["tcb_info"] = json!("x".repeat(600_000))),
    ),
    (
        "tdx_collateral_malformed",
        Arrived(|case| {
            let fields = case.collateral.as_object_mut().expect("an object");
            fields.remove("pck_crl");
        }),
    ),
    (
        "tdx_collateral_signature",
        Arrived(|case| spoil(case, "tcb_info_signature")),
    ),
    (
        "tdx_collateral_content",
        Signed(|scene| scene.statements.tcb_info["fmspc"] = json!("zz")),
    ),
    (
        "tdx_collateral_kind",
        Signed(|scene| scene.statements.qe_identity["id"] = json!("QE")),
    ),
    (
        "tdx_collateral_expired",
        Signed(|scene| scene.statements.tcb_info["nextUpdate"] = json!("2026-02-28T23:59:59Z")),
    ),
    (
        "tdx_collateral_not_yet_valid",
        Signed(|scene| scene.statements.qe_identity["issueDate"] = json!("2026-03-01T00:00:01Z")),
    ),
    ("qe_report_signature", Arrived(|case| case.quote[1230] ^= 1)),
    (
        "qe_report_data",
        Signed(|scene| scene.intel.quoting_enclave.report_data_flipped[32] = 1),
    ),
    (
        "qe_identity_mismatch",
        Signed(|scene| scene.statements.qe_identity["isvprodid"] = json!(3)),
    ),
    ("quote_signature", Arrived(|case| case.quote[710] ^= 1)),
    (
        "tcb_info_mismatch",
        Signed(|scene| scene.statements.tcb_info["pceId"] = json!("0001")),
    ),
    (
        "tdx_module_unknown",
        Signed(|scene| scene.td.tee_tcb_svn[1] = 9),
    ),
    (
        "tdx_module_mismatch",
        Signed(|scene| scene.td.mrsignerseam[0] = 1),
    ),
    (
        "tcb_not_supported",
        Signed(|scene| scene.td.tee_tcb_svn[2] = 0),
    ),
    (
        "tcb_status_unknown",
        Signed(|scene| scene.statements.tcb_info["tcbLevels"][0]["tcbStatus"] = json!("Splendid")),
    ),
    (
        "tcb_revoked",
        Signed(|scene| {
            scene.statements.qe_identity["tcbLevels"][0]["tcbStatus"] = json!("Revoked");
        }),
    ),
    (
        "tcb_status_refused",
        Signed(|scene| scene.td.tee_tcb_svn[2] = 3),
    ),
    (
        "tcb_evaluation_below_floor",
        Arrived(|case| case.policy.minimum_evaluation = Evaluation::AtLeast(18)),
    ),
    (
        "tcb_advisory_refused",
        Signed(|scene| {
            scene.statements.tcb_info["tcbLevels"][1]["advisoryIDs"] = json!(["INTEL-SA-00001"]);
        }),
    ),
    (
        "tee_tcb_below_floor",
        Arrived(|case| case.policy.minimum_tee_tcb_svn = [8; 16]),
    ),
    ("td_reserved", Signed(|scene| scene.td.attributes |= 2)),
    ("td_debug", Signed(|scene| scene.td.attributes |= DEBUG)),
    (
        "td_migratable",
        Signed(|scene| scene.td.attributes |= MIGRATABLE),
    ),
    ("td_perfmon", Signed(|scene| scene.td.attributes |= PERFMON)),
    (
        "td_service_td",
        Signed(|scene| scene.td.attributes |= SERVTD_EXT),
    ),
    (
        "td_devices",
        Signed(|scene| {
            scene.td.version = QuoteVersion::V5Extended;
            scene.td.extension[33] = 1;
        }),
    ),
    (
        "td_sept_ve",
        Signed(|scene| scene.td.attributes &= !SEPT_VE_DISABLE),
    ),
    (
        "td_refused",
        Arrived(|case| case.policy.mrtd = Expect::AnyOf(vec![[9; 48]])),
    ),
    ("platform_refused", Arrived(|case| case.policy.smt = false)),
    (
        "event_log_missing",
        Arrived(|case| case.policy.event_log_unchecked = None),
    ),
    (
        "event_log_too_large",
        Arrived(|case| case.event_log = Some(vec![0; (1 << 20) + 1])),
    ),
    (
        "event_log_malformed",
        Arrived(|case| case.event_log = Some(vec![1])),
    ),
    (
        "event_log_mismatch",
        Arrived(|case| case.event_log = Some(event_log(&[(1, 4, b"\0\0\0\0")]))),
    ),
    (
        "event_unexpected",
        Arrived(|case| {
            // It explains the registers, which are zero, and the policy wants one event more.
            case.event_log = Some(event_log(&[]));
            let why = "the machine decides".to_owned();
            case.policy.rtmr0_events = Some(vec![BootEvent::Varies { why }]);
        }),
    ),
];

#[test]
fn each_lie_is_refused_for_what_it_is() {
    for (code, lie) in LIES {
        let mut scene = Scene::new();
        if let Signed(change) = lie {
            change(&mut scene);
        }
        let mut case = scene.case();
        case.policy.refused_advisories = vec!["INTEL-SA-00001".to_owned()];
        if let Arrived(change) = lie {
            change(&mut case);
        }
        let rejection = case.verify().expect_err(code);
        assert_eq!(rejection.code(), *code, "{rejection}");
    }
}

#[test]
fn every_rejection_is_provoked() {
    let told: BTreeSet<_> = LIES.iter().map(|(code, _)| *code).collect();
    let reasons = Rejection::ALL.iter();
    let listed: BTreeSet<_> = reasons
        .filter(|reason| reason.step.starts_with("tdx-"))
        // Only a bundle can lack it: the tests of bundles have that lie.
        .filter(|reason| reason.code != "tdx_collateral_missing")
        .map(|reason| reason.code)
        .collect();
    assert_eq!(told, listed);
}

#[test]
fn the_honest_td_passes_and_says_that_it_is_simulated() {
    let verified = Scene::new().verify().expect("honest");
    assert!(verified.simulated());
    assert_eq!(verified.td().status, Status::UpToDate);
    assert_eq!(verified.td().evaluation, 17);
    // QE identity is due first.
    assert_eq!(verified.until().to_string(), "2026-03-14 00:00 UTC");
    let checks = verified.transcript().checks();
    assert!(checks.iter().all(|check| check.outcome != Outcome::Failed));
    let mut steps: Vec<_> = checks.iter().map(|check| check.step).collect();
    steps.dedup();
    let mut sorted = steps.clone();
    sorted.sort_unstable();
    assert_eq!(steps, sorted);
}

#[test]
fn revoked_is_refused_whatever_the_policy_lists() {
    let mut scene = Scene::new();
    scene.statements.tcb_info["tcbLevels"][1]["tcbStatus"] = json!("Revoked");
    let mut case = scene.case();
    case.policy.statuses = Status::ALL.to_vec();
    assert_eq!(case.verify(), Err(Rejection::TcbRevoked));
}

#[test]
fn a_quote_is_no_answer_where_nothing_was_asked() {
    let mut case = Scene::new().case();
    case.policy.report_data = NOTHING_ASKED;
    assert_eq!(case.verify(), Err(Rejection::FreshnessUnchecked));
}

#[test]
fn a_field_that_stands_twice_is_refused() {
    let mut case = Scene::new().case();
    let text = case.collateral.to_string();
    let twice = text.replacen('{', r#"{"pck_crl":"00","#, 1);
    let refused = IntelCollateral::parse(twice.as_bytes()).expect_err("twice");
    assert_eq!(refused.code(), "tdx_collateral_malformed");
    // In what is signed the signature fails first, unless Intel itself should ever write so.
    let info = case.collateral["tcb_info"].as_str().expect("text");
    case.collateral["tcb_info"] = json!(info.replacen('{', r#"{"fmspc":"000000000000","#, 1));
    assert_eq!(
        case.verify().expect_err("twice").code(),
        "tdx_collateral_signature"
    );
}

#[test]
fn what_a_policy_accepts_has_its_reason_in_the_transcript() {
    let mut scene = Scene::new();
    scene.td.attributes &= !SEPT_VE_DISABLE;
    let mut case = scene.case();
    case.quote.push(1);
    case.policy.sept_ve_accepted = Some(WHY.to_owned());
    case.policy.trailing_accepted = Some(WHY.to_owned());
    let verified = case.verify().expect("accepted");
    assert_eq!(verified.td().trailing_bytes, 1);
    for name in ["SEPT_VE_DISABLE", "nothing follows"] {
        let checks = verified.transcript().checks().iter();
        let open =
            checks.filter(|check| check.outcome == Outcome::NotChecked && check.detail == WHY);
        assert!(open.into_iter().any(|check| check.name == name), "{name}");
    }
}

#[test]
fn explaining_reports_every_failure() {
    let mut scene = Scene::new();
    scene.td.attributes |= DEBUG | MIGRATABLE;
    scene.td.tee_tcb_svn[2] = 3;
    let mut case = scene.case();
    case.quote[710] ^= 1;
    let explained = case
        .ask(|evidence, question| explain(evidence, question))
        .expect("collateral");
    let codes: Vec<_> = failures(&explained).iter().map(Rejection::code).collect();
    assert_eq!(
        codes,
        [
            "quote_signature",
            "tcb_status_refused",
            "td_debug",
            "td_migratable"
        ]
    );
}

#[test]
fn both_versions_and_layouts_are_read() {
    let mut scene = Scene::new();
    let newer = scene.verify().expect("version 5");
    assert_eq!(newer.td().report.layout, Layout::V15);
    scene.td.version = QuoteVersion::V4;
    let older = scene.verify().expect("version 4");
    assert_eq!(older.td().report.layout, Layout::V1);
    assert_eq!(older.td().report.tee_tcb_svn_2, None);
    assert_eq!(older.td().report.mrtd, newer.td().report.mrtd);
}

#[test]
fn an_answer_of_intels_service_is_split_without_touching_what_was_signed() {
    let signature = "ab".repeat(64);
    let answer = format!(r#"{{"tcbInfo":{{"a": 1 }},"signature":"{signature}"}}"#);
    let found = split_answer(&answer, "tcbInfo").expect("an answer");
    assert_eq!(found, (r#"{"a": 1 }"#, [0xAB; 64]));
    for (text, object) in [
        (&*answer, "enclaveIdentity"),
        (&answer[1..], "tcbInfo"),
        ("", ""),
    ] {
        assert!(split_answer(text, object).is_err(), "{text}");
    }
}

#[test]
fn an_authority_that_was_certified_again_still_signs_its_list() {
    let mut scene = Scene::new();
    let mut case = scene.case();
    let issued = scene.intel.pck_authority.clone();
    scene.intel.pck_authority.der = issued.issued_again(&scene.intel.root);
    let chain = |scene: &Scene| scene.case().collateral["pck_crl_issuer_chain"].clone();
    assert_ne!(case.collateral["pck_crl_issuer_chain"], chain(&scene));
    case.collateral["pck_crl_issuer_chain"] = chain(&scene);
    case.verify().expect("the same name and key");
    // Another key under the same name is another authority.
    scene.intel.pck_authority = Signer::root(Curve::P256, &[9; 32], issued.profile());
    case.collateral["pck_crl_issuer_chain"] = chain(&scene);
    let refused = case.verify().expect_err("another authority");
    assert_eq!(refused, Rejection::IntelCrlIssuer { which: "PCK" });
}
