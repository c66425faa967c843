//! `verify tdx` on a TD of the simulated Intel: on every machine, whether the real evidence is there or not.

use std::fs;

use chrysalis_attestation::{
    Time,
    encoding::digest::sha256,
    tdx::attributes::{DEBUG, MIGRATABLE},
};
use chrysalis_simulate::{
    Intel,
    intel::{TdProfile, collateral_json},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{codes, no_verdict, verdict, verify};

/// 2026-03-01 00:00 UTC
const NOW: Time = Time(1_772_323_200);
const AT: &str = "--at 2026-03-01T00:00:00Z";
const ASKED: [u8; 64] = [0x5A; 64];

/// A folder with `quote.bin`, `collateral.json` and `policy.toml` that go together.
struct Scene {
    folder: TempDir,
    intel: Intel,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            folder: TempDir::new().expect("a folder"),
            intel: Intel::from_seed(&[7; 32], NOW),
        };
        scene.quote(&TdProfile::default());
        scene.status("UpToDate");
        scene.policy("");
        scene
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), bytes).expect("a file");
    }

    fn quote(&self, td: &TdProfile) {
        let td = TdProfile {
            report_data: ASKED,
            ..td.clone()
        };
        self.write("quote.bin", self.intel.quote(&td));
    }

    /// What Intel says of the platform.
    fn status(&self, status: &str) {
        let mut statements = self.intel.statements(NOW);
        if status != "UpToDate" {
            statements = statements.with_status(status);
        }
        let collateral = collateral_json(&self.intel.issue(&statements));
        self.write("collateral.json", collateral.to_string());
    }

    /// The same in `store`, as `chrysalis fetch` keeps it.
    fn store(&self, without: &str) {
        let intel = self.intel.collateral(NOW);
        let answer = |name: &str, chain: &str, body: &str, signature: [u8; 64]| {
            let (chain, signature) = (Value::from(chain), hex::encode(signature));
            format!("{{\"issuerChain\":{chain},\"{name}\":{body},\"signature\":\"{signature}\"}}\n")
        };
        let tcb = answer(
            "tcbInfo",
            &intel.tcb_info_issuer_chain,
            &intel.tcb_info,
            intel.tcb_info_signature,
        );
        let identity = answer(
            "enclaveIdentity",
            &intel.qe_identity_issuer_chain,
            &intel.qe_identity,
            intel.qe_identity_signature,
        );
        let body: Value = serde_json::from_str(&intel.tcb_info).expect("JSON");
        let fmspc = body["fmspc"].as_str().expect("an FMSPC").to_lowercase();
        let mut objects = serde_json::Map::new();
        for (path, file) in [
            (format!("intel/{fmspc}/tcb.json"), tcb.into_bytes()),
            ("intel/qe-identity.json".to_owned(), identity.into_bytes()),
            ("intel/pck-platform-crl.der".to_owned(), intel.pck_crl),
            ("intel/root-crl.der".to_owned(), intel.root_ca_crl),
        ] {
            let place = self.folder.path().join("store").join(&path);
            fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
            fs::write(place, &file).expect("a file");
            let entry = json!({
                "what": "a test", "source": "a test", "fetched_at": NOW, "made_at": NOW, "valid_until": NOW,
                "sha256": hex::encode(sha256(&[&file])),
            });
            if !path.ends_with(without) {
                objects.insert(path, entry);
            }
        }
        let index = json!({"version": 1, "objects": objects});
        self.write("store/store.json", index.to_string());
    }

    /// A policy for the TD of nothing but zeros, with these lines in `[tdx]`.
    fn policy(&self, lines: &str) {
        let zero = format!("[\"{}\"]", "00".repeat(48));
        let root = hex::encode(sha256(&[self.intel.root()]));
        self.write(
            "policy.toml",
            format!(
                "version = 1\n[simulation]\nroots = [\"{root}\"]\n[tdx]\nmrtd = {zero}\nrtmr0 = {zero}\n\
                 rtmr1 = {zero}\nrtmr2 = {zero}\nmrconfigid = {zero}\nminimum_evaluation = 17\n{lines}\n"
            ),
        );
    }

    /// A log of no events: it makes registers of zeros.
    fn event_log(&self) {
        let specification = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02\x01\0\0\0\x0C\0\x30\0\0";
        let length = u32::try_from(specification.len()).expect("short");
        let first = [
            &[0, 0, 0, 0, 3, 0, 0, 0],
            &[0; 20][..],
            &length.to_le_bytes(),
        ]
        .concat();
        self.write("log", [&first[..], specification].concat());
    }

    fn ask(&self, more: &str) -> (i32, Value) {
        let arguments =
            format!("tdx --quote quote.bin --quote-collateral collateral.json {AT} {more}");
        verdict(self.folder.path(), &arguments)
    }

    /// With the policy, for what was asked, and without a log.
    fn trusted(&self, more: &str) -> Value {
        let asked = hex::encode(ASKED);
        let more = format!("--policy policy.toml --report-data {asked} --without event-log {more}");
        self.ask(&more).1
    }
}

#[test]
fn a_simulated_td_is_trusted_only_by_a_policy_that_names_its_root() {
    let scene = Scene::new();
    let found = scene.trusted("");
    assert_eq!(found["verdict"], "trusted", "{found}");
    assert_eq!(found["simulated"], true);
    assert_eq!(found["claims"]["cpu"]["status"], "UpToDate");
    assert_eq!(found["claims"]["measurement"], "00".repeat(48));
    assert_eq!(found["claims"]["cpu"]["report_data"], hex::encode(ASKED));
    let (code, found) = scene.ask("");
    assert_eq!(
        (code, &found["code"]),
        (1, &"tdx_simulated_root_refused".into())
    );
    assert_eq!(found["claims"], Value::Null);
}

#[test]
fn every_failure_is_told_when_asked() {
    let scene = Scene::new();
    let mut td = TdProfile::default();
    td.attributes |= DEBUG | MIGRATABLE;
    td.mrtd = [1; 48];
    scene.quote(&td);
    scene.status("OutOfDate");
    let first = scene.trusted("");
    assert_eq!(codes(&first), ["tcb_status_refused"]);
    assert_eq!(
        first["claims"]["cpu"]["status"], "OutOfDate",
        "it is known, wanted or not"
    );
    let all = scene.trusted("--explain-only");
    assert_eq!(
        codes(&all),
        [
            "tcb_status_refused",
            "td_debug",
            "td_migratable",
            "td_refused"
        ]
    );
}

#[test]
fn what_a_policy_lists_passes_but_never_a_revoked_platform() {
    let scene = Scene::new();
    scene.status("OutOfDate");
    scene.policy("statuses = [\"UpToDate\", \"OutOfDate\"]");
    assert_eq!(scene.trusted("")["verdict"], "trusted");
    scene.status("Revoked");
    let found = scene.trusted("");
    assert_eq!(found["code"], "tcb_revoked");
    assert_eq!(
        found["claims"],
        Value::Null,
        "nothing is to be learned from it"
    );
    scene.policy("statuses = [\"Revoked\"]");
    let arguments = "tdx --quote quote.bin --quote-collateral collateral.json --policy policy.toml";
    no_verdict(
        scene.folder.path(),
        arguments,
        "`tdx.statuses` must be UpToDate",
    );
}

#[test]
fn a_quote_nobody_asked_for_and_registers_nobody_explains_are_refused() {
    let scene = Scene::new();
    let policy = "--policy policy.toml";
    let (_, found) = scene.ask(&format!("{policy} --without event-log"));
    assert_eq!(found["code"], "freshness_unchecked");
    let (_, found) = scene.ask(&format!("{policy} --without freshness"));
    assert_eq!(found["code"], "event_log_missing");
    scene.event_log();
    let (_, found) = scene.ask(&format!("{policy} --without freshness --event-log log"));
    assert_eq!(found["verdict"], "trusted", "{found}");
    let open = found["checks"].as_array().expect("checks").iter();
    let open = open.filter(|check| check["detail"] == "--without freshness");
    assert_eq!(open.count(), 1, "what was left out is listed");
    // The policy pins all four; the log has to explain the first three even so.
    for (register, wanted) in [
        (2, &["td_refused", "event_log_mismatch"][..]),
        (3, &["td_refused"]),
    ] {
        let mut td = TdProfile::default();
        td.rtmrs[register] = [1; 48];
        scene.quote(&td);
        let (_, found) = scene.ask(&format!(
            "{policy} --without freshness --event-log log --explain-only"
        ));
        assert_eq!(codes(&found), wanted, "RTMR{register}");
    }
}

#[test]
fn a_td_is_verified_from_a_store_of_fetch_as_from_one_file() {
    let scene = Scene::new();
    let quote = format!(
        "tdx --quote quote.bin {AT} --policy policy.toml --without event-log --without freshness"
    );
    let ask = |collateral: &str| {
        let arguments = format!("{quote} {collateral}");
        verdict(scene.folder.path(), &arguments).1
    };
    scene.store("no file");
    let found = ask("--collateral store");
    assert_eq!(found["verdict"], "trusted", "{found}");
    assert_eq!(found, ask("--quote-collateral collateral.json"));

    for (without, lacks) in [
        ("tcb.json", "TCB info"),
        ("qe-identity.json", "QE identity"),
        ("root-crl.der", "root"),
        ("pck-platform-crl.der", "platform CA"),
    ] {
        scene.store(without);
        assert_eq!(
            ask("--collateral store")["code"],
            "tdx_collateral_missing",
            "{without}"
        );
        let told = verify(scene.folder.path(), &format!("{quote} --collateral store"));
        let talk = String::from_utf8(told.stderr).expect("text");
        assert!(
            talk.contains("the store does not have ") && talk.contains(lacks),
            "{talk}"
        );
    }
    scene.store("no file");
    scene.write("store/intel/root-crl.der", "another file");
    let arguments = format!("{quote} --collateral store");
    no_verdict(
        scene.folder.path(),
        &arguments,
        "is not the file that was kept",
    );
    scene.write("store/store.json", "[");
    no_verdict(scene.folder.path(), &arguments, "is damaged");
    let file = format!("{quote} --collateral collateral.json");
    no_verdict(
        scene.folder.path(),
        &file,
        "`--collateral FILE` is now `--quote-collateral FILE`",
    );
    let folder = format!("{quote} --collateral .");
    no_verdict(scene.folder.path(), &folder, "has no store.json");
}
