//! Each field that is held to something, one at a time: what a policy pins, what Intel says of its enclave, and what a log begins with.

use chrysalis_attestation::{
    Rejection,
    tdx::{EventLog, TdxPolicy},
    transcript::Expect,
};
use chrysalis_simulate::intel::{QuoteVersion, event_log};
use serde_json::{Value, json};

use super::scene::Scene;

#[test]
fn a_policy_names_the_field_that_it_refuses() {
    type Pin = fn(&mut TdxPolicy) -> &mut Expect<[u8; 48]>;
    let pins: [(&str, Pin); 9] = [
        ("MRSEAM", |policy| &mut policy.mrseam),
        ("MRTD", |policy| &mut policy.mrtd),
        ("MRCONFIGID", |policy| &mut policy.mrconfigid),
        ("MROWNER", |policy| &mut policy.mrowner),
        ("MROWNERCONFIG", |policy| &mut policy.mrownerconfig),
        ("RTMR0", |policy| &mut policy.rtmr[0]),
        ("RTMR1", |policy| &mut policy.rtmr[1]),
        ("RTMR2", |policy| &mut policy.rtmr[2]),
        ("RTMR3", |policy| &mut policy.rtmr[3]),
    ];
    for (name, pin) in pins {
        let mut case = Scene::new().case();
        *pin(&mut case.policy) = Expect::AnyOf(vec![[9; 48]]);
        let refused = case.verify().expect_err(name);
        let Rejection::TdRefused { field, .. } = refused else {
            panic!("{name}: {refused}")
        };
        assert_eq!(field, name);
    }
}

#[test]
fn extended_features_are_those_that_are_known_and_wanted() {
    let honest = Scene::new().td.xfam;
    for (xfam, bits) in [(honest & !1, 1), (honest | 1 << 63, 1 << 63)] {
        let mut scene = Scene::new();
        scene.td.xfam = xfam;
        let refused = Err(Rejection::TdReserved {
            field: "XFAM",
            bits,
        });
        assert_eq!(scene.verify().map(drop), refused);
    }
    let mut case = Scene::new().case();
    case.policy.xfam = Expect::AnyOf(vec![honest ^ 4]);
    let refused = case.verify().map(drop).unwrap_err();
    assert_eq!(refused.code(), "td_refused", "{refused}");
    case.policy.xfam = Expect::AnyOf(vec![honest ^ 4, honest]);
    assert!(case.verify().is_ok());
}

#[test]
fn a_service_td_counts_without_the_extended_layout() {
    let mut scene = Scene::new();
    scene.td.version = QuoteVersion::V5;
    assert!(scene.verify().is_ok());
    scene.td.mrservicetd[0] = 1;
    assert_eq!(scene.verify().map(drop), Err(Rejection::TdServiceTd));
}

#[test]
fn each_field_of_the_quoting_enclave_is_that_of_its_identity() {
    let names = [
        ("MISCSELECT", "miscselect"),
        ("ATTRIBUTES", "attributes"),
        ("MRSIGNER", "mrsigner"),
    ];
    for (field, name) in names {
        let mut scene = Scene::new();
        let said = &mut scene.statements.qe_identity[name];
        let text = said.as_str().expect("hexadecimal");
        // A bit that the mask lets through.
        let other = if text.starts_with('0') { "4" } else { "0" };
        *said = json!(format!("{other}{}", &text[1..]));
        if let Some(mask) = scene.statements.qe_identity.get_mut(format!("{name}Mask")) {
            let text = mask.as_str().expect("hexadecimal");
            *mask = json!("F".repeat(text.len()));
        }
        let refused = scene.verify().map(drop);
        assert_eq!(refused, Err(Rejection::QeIdentityMismatch { field }));
    }
}

#[test]
fn statements_are_of_the_kind_that_is_read() {
    type Change = fn(&mut Scene) -> &mut Value;
    let changes: [(Change, Value, &str); 4] = [
        (
            |scene| &mut scene.statements.tcb_info["version"],
            json!(4),
            "tdx_collateral_kind",
        ),
        (
            |scene| &mut scene.statements.tcb_info["tcbType"],
            json!(1),
            "tdx_collateral_kind",
        ),
        (
            |scene| &mut scene.statements.qe_identity["version"],
            json!(4),
            "tdx_collateral_kind",
        ),
        // A status that only a whole platform has.
        (
            |scene| &mut scene.statements.qe_identity["tcbLevels"][0]["tcbStatus"],
            json!("ConfigurationNeeded"),
            "tcb_status_unknown",
        ),
    ];
    for (place, value, code) in changes {
        let mut scene = Scene::new();
        *place(&mut scene) = value;
        let refused = scene.verify().map(drop).expect_err(code);
        assert_eq!(refused.code(), code, "{refused}");
    }
}

#[test]
fn a_log_says_first_that_its_digests_are_sha384_and_keeps_to_it() {
    let good = event_log(&[(1, 4, b"abc")]);
    assert!(EventLog::parse(&good).is_ok());
    // The first event's kind, signature, number of algorithms, algorithm and size; the second's number of digests and algorithm.
    for place in [4, 32, 56, 60, 62, 73, 77] {
        let mut bad = good.clone();
        bad[place] ^= 2;
        let refused = EventLog::parse(&bad).expect_err("another log");
        let malformed = matches!(refused, Rejection::EventLogMalformed { .. });
        assert!(malformed, "{place}: {refused}");
    }
}

#[test]
fn a_list_names_no_other_algorithm_beside_its_signature() {
    // ecdsa-with-SHA256; the last is the one outside of what is signed.
    const ALGORITHM: &str = "06082a8648ce3d040302";
    let mut case = Scene::new().case();
    let list = case.collateral["pck_crl"].as_str().expect("hexadecimal");
    let list = list.to_lowercase();
    let (before, after) = list.rsplit_once(ALGORITHM).expect("an algorithm");
    let sha384 = ALGORITHM.replace("040302", "040303");
    case.collateral["pck_crl"] = json!(format!("{before}{sha384}{after}"));
    let refused = case.verify().map(drop).expect_err("another algorithm");
    assert_eq!(refused.code(), "intel_crl_malformed", "{refused}");
}
