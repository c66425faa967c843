//! What newer platforms and other people's tools write otherwise: extended bodies, other ends of a chain's lines, more in the collateral.

use chrysalis_attestation::{
    Rejection,
    tdx::{Lag, report::Layout},
};
use chrysalis_simulate::intel::{QuoteVersion, enclave_level};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::scene::{Case, Scene};

fn extended(change: impl FnOnce(&mut [u8; 237])) -> Scene {
    let mut scene = Scene::new();
    scene.td.version = QuoteVersion::V5Extended;
    change(&mut scene.td.extension);
    scene
}

#[test]
fn an_extended_body_is_read_field_by_field() {
    let scene = extended(|bytes| {
        bytes[0] = 1;
        bytes[1..33].fill(2);
        // Devices, and service TDs, would be refused.
        bytes[129..137].copy_from_slice(&5_u64.to_le_bytes());
        bytes[137..153].fill(6);
        bytes[153..169].fill(7);
        bytes[169..181].fill(8);
        bytes[229..].copy_from_slice(&10_u64.to_le_bytes());
    });
    let verified = scene.verify().expect("body type 4");
    let report = &verified.td().report;
    assert_eq!(report.layout, Layout::V15Extended);
    assert_eq!(report.tee_tcb_svn_2, Some(report.tee_tcb_svn));
    let found = report.extended.expect("the extension");
    assert_eq!((found.vm_id, found.td_id.0), (1, [2; 32]));
    assert_eq!(found.initial_service_td_attributes, 5);
    assert_eq!(
        (found.initial_cpu_svn.0, found.initial_tee_tcb_svn.0),
        ([6; 16], [7; 16])
    );
    assert_eq!(
        (found.initial_fmspc.0, found.service_td_attributes),
        ([8; 12], 10)
    );
    assert_eq!(found.service_td.0, [0; 48]);
}

#[test]
fn an_extended_body_has_its_exact_size_and_is_signed_whole() {
    let case = extended(|_| ()).case();
    let mut shorter = Case {
        ..extended(|_| ()).case()
    };
    shorter.quote[50] -= 1;
    assert_eq!(
        shorter.verify().map_err(|it| it.code()),
        Err("quote_malformed")
    );
    // The last byte of the body: header, descriptor, 885 bytes.
    let mut changed = case;
    changed.quote[48 + 6 + 884] ^= 1;
    assert_eq!(changed.verify(), Err(Rejection::QuoteSignature));
}

#[test]
fn devices_and_service_tds_of_an_extended_body_count() {
    for place in [33, 80] {
        let scene = extended(|bytes| bytes[place] = 1);
        assert_eq!(scene.verify(), Err(Rejection::TdDevices), "{place}");
        let mut case = scene.case();
        case.policy.devices = true;
        assert!(case.verify().is_ok());
    }
    // Those bound first, and those bound now.
    for place in [81, 128, 181, 228] {
        let scene = extended(|bytes| bytes[place] = 1);
        assert_eq!(scene.verify(), Err(Rejection::TdServiceTd), "{place}");
        let mut case = scene.case();
        case.policy.service_td = true;
        assert!(case.verify().is_ok());
    }
}

#[test]
fn line_ends_and_nuls_of_the_chain_change_nothing() {
    for (line_end, chain_end) in [
        ("\n", &[][..]),
        ("\n", &[0]),
        ("\n", &[0, 0]),
        ("\r\n", &[]),
        ("\r\n", b"\0\0\0"),
        ("\n", b"\n\n\0"),
    ] {
        let mut scene = Scene::new();
        (scene.td.line_end, scene.td.chain_end) = (line_end, chain_end.to_vec());
        assert!(scene.verify().is_ok(), "{line_end:?} {chain_end:?}");
    }
    for chain_end in [
        &b"\0x"[..],
        b"x",
        b"-----BEGIN CERTIFICATE-----\n",
        b"\0-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
    ] {
        let mut scene = Scene::new();
        scene.td.chain_end = chain_end.to_vec();
        assert_eq!(
            scene.verify().map_err(|it| it.code()),
            Err("quote_malformed"),
            "{chain_end:?}"
        );
    }
}

fn refusal(scene: &Scene) -> String {
    scene.verify().expect_err("out of date").to_string()
}

#[test]
fn what_lags_behind_is_named_with_both_levels() {
    let mut scene = Scene::new();
    scene.td.tee_tcb_svn[2] = 3;
    assert_eq!(
        refusal(&scene),
        "the platform is OutOfDate: TDX component 3 SVN 3, wanted 5 (advisories: )"
    );
    let levels = scene.statements.tcb_info["tcbLevels"]
        .as_array_mut()
        .expect("levels");
    let component = &mut levels[1]["tcb"]["tdxtcbcomponents"][2];
    component["category"] = json!("OS/VMM");
    component["type"] = json!("TDX Late Microcode Update");
    assert_eq!(
        refusal(&scene),
        "the platform is OutOfDate: TDX component 3 (OS/VMM, TDX Late Microcode Update) SVN 3, wanted 5 (advisories: )"
    );
    let mut case = scene.case();
    case.policy.statuses = vec![chrysalis_attestation::tdx::Status::OutOfDate];
    let verified = case.verify().expect("accepted");
    let expected = Lag {
        component: "TDX component 3 (OS/VMM, TDX Late Microcode Update)".to_owned(),
        found: 3,
        wanted: 5,
    };
    assert_eq!(verified.td().lagging, [expected]);
}

#[test]
fn pce_module_and_quoting_enclave_are_named_too() {
    let mut scene = Scene::new();
    let levels = scene.statements.tcb_info["tcbLevels"]
        .as_array_mut()
        .expect("levels");
    levels[1]["tcb"]["pcesvn"] = json!(14);
    assert_eq!(
        refusal(&scene),
        "the platform is OutOfDate: PCE SVN 13, wanted 14 (advisories: )"
    );
    let mut scene = Scene::new();
    *scene.module_levels() = json!([enclave_level(7, "OutOfDate"), enclave_level(9, "UpToDate")]);
    assert_eq!(
        refusal(&scene),
        "the platform is OutOfDate: TDX module TDX_01 SVN 7, wanted 9 (advisories: )"
    );
    let mut scene = Scene::new();
    scene.statements.qe_identity["tcbLevels"] =
        json!([enclave_level(8, "UpToDate"), enclave_level(2, "OutOfDate")]);
    assert_eq!(
        refusal(&scene),
        "the platform is OutOfDate: quoting enclave SVN 7, wanted 8 (advisories: )"
    );
    let current = Scene::new().verify().expect("current");
    assert_eq!(current.td().lagging, []);
}

fn with(change: impl FnOnce(&mut Value)) -> Result<(), Rejection> {
    let mut case = Scene::new().case();
    change(&mut case.collateral);
    case.verify().map(drop)
}

#[test]
fn more_fields_and_other_ways_to_write_one_change_nothing() {
    assert_eq!(with(|it| it["version"] = json!("3")), Ok(()));
    assert_eq!(with(|it| it["tee_type"] = json!(129)), Ok(()));
    assert_eq!(
        with(|it| it["pck_certificate_chain"] = json!(["x"])),
        Ok(())
    );
    let list = |it: &Value| hex::decode(it.as_str().expect("hex")).expect("hex");
    assert_eq!(
        with(|it| it["pck_crl"] = json!(BASE64.encode(&list(&it["pck_crl"])))),
        Ok(())
    );
    let block = |der: &[u8]| chrysalis_attestation::encoding::pem::block("X509 CRL", der);
    assert_eq!(
        with(|it| it["root_ca_crl"] = json!(block(&list(&it["root_ca_crl"])) + "\0")),
        Ok(())
    );
    // Intel's library keeps the service's whole answers, each with a NUL behind it.
    assert_eq!(
        with(|it| {
            for (field, object) in [("tcb_info", "tcbInfo"), ("qe_identity", "enclaveIdentity")] {
                let signature = format!("{field}_signature");
                let fields = it.as_object_mut().expect("an object");
                let signature = fields.remove(&signature).expect("a signature");
                let (body, signature) = (
                    fields[field].as_str().expect("text"),
                    signature.as_str().expect("hex").to_owned(),
                );
                let answer = format!("{{\"{object}\":{body},\"signature\":\"{signature}\"}}\0");
                fields.insert(field.to_owned(), json!(answer));
            }
        }),
        Ok(())
    );
}

#[test]
fn the_field_that_is_missing_or_of_another_kind_is_named() {
    let says = |change: fn(&mut Value)| with(change).expect_err("malformed").to_string();
    for (change, what) in [
        (
            (|it| drop(it.as_object_mut().expect("an object").remove("pck_crl"))) as fn(&mut Value),
            "it has no field `pck_crl`",
        ),
        (
            |it| {
                drop(
                    it.as_object_mut()
                        .expect("an object")
                        .remove("tcb_info_signature"),
                );
            },
            "it has no field `tcb_info_signature`",
        ),
        (
            |it| it["qe_identity"] = json!({}),
            "`qe_identity` is not text",
        ),
        (
            |it| it["root_ca_crl"] = json!("!"),
            "`root_ca_crl` is not a list in hex, PEM or base64",
        ),
        (
            |it| it["qe_identity_signature"] = json!("00"),
            "a signature is not 64 bytes of hex",
        ),
        (
            |it| *it = json!([]),
            "it is not a JSON object, or has a field twice",
        ),
    ] {
        assert_eq!(says(change), format!("the collateral is malformed: {what}"));
    }
}
