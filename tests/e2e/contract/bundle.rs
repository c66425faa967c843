//! `verify FILE` on machines of the simulated vendors: sessions, bare bundles, and what goes without what.
//!
//! Without a policy no simulated root counts, so what real hardware alone would get, `genuine`, is shown by the library's tests.

use std::{fs, sync::LazyLock};

use chrysalis_attestation::evidence::binding::Session;
use chrysalis_client::SavedSession;
use chrysalis_simulate::Amd;
use chrysalis_tests::{
    composite::{Machine, NVIDIA, SESSION, SPKI, Vendor, policy_text, roots},
    scene::{self, NOW},
};
use data_encoding::BASE64;
use rcgen::PublicKeyData;
use serde_json::Value;
use tempfile::TempDir;

use super::{assert_no_damage_passes, codes, no_verdict, verdict, verify};

static AMD: LazyLock<Amd> =
    LazyLock::new(|| scene::vendor(env!("CARGO_TARGET_TMPDIR"), "amd").expect("a vendor"));

/// A folder with `session.cbor`, `bundle.cbor` and `policy.toml` that go together.
struct Scene(TempDir);

impl Scene {
    fn of(machine: &Machine<'_>) -> Self {
        let scene = Self(TempDir::new().expect("a folder"));
        let bundle = machine.bundle();
        let Session::Asked { nonce, exporter } = SESSION else {
            panic!("a question")
        };
        let saved = SavedSession::new(SPKI.to_vec(), nonce, exporter, bundle.clone());
        scene.write("bundle.cbor", bundle);
        scene.write("session.cbor", saved.encode());
        scene.write("policy.toml", policy_text(&roots(&AMD)));
        scene
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), bytes).expect("a file");
    }

    fn command(more: &str) -> String {
        format!("--at {NOW_IN_WORDS} {more}")
    }

    #[track_caller]
    fn ask(&self, more: &str) -> Value {
        verdict(self.0.path(), &Self::command(more)).1
    }

    #[track_caller]
    fn trusting(&self, more: &str) -> Value {
        self.ask(&format!("session.cbor --policy policy.toml {more}"))
    }
}

const NOW_IN_WORDS: &str = "2026-12-01T12:00:00Z";

fn machine(cpu: Vendor) -> Machine<'static> {
    Machine::honest(&AMD, cpu)
}

fn listed<'a>(found: &'a Value, name: &str) -> &'a Value {
    let mut checks = found["checks"].as_array().expect("checks").iter();
    let check = checks.find(|check| check["name"] == name && check["outcome"] == "not_checked");
    &check.unwrap_or_else(|| panic!("{name} is not listed: {found}"))["detail"]
}

#[test]
fn a_session_of_either_platform_is_trusted_and_its_claims_tell_what_was_measured() {
    assert_eq!(
        chrysalis_attestation::Time(1_796_126_400),
        NOW,
        "{NOW_IN_WORDS}"
    );
    for cpu in [Vendor::Amd, Vendor::Intel] {
        let scene = Scene::of(&machine(cpu));
        for more in ["", "--explain-only"] {
            let found = scene.trusting(more);
            assert_eq!(found["verdict"], "trusted", "{found}");
            assert_eq!(found["simulated"], true);
            assert_eq!(codes(&found), [""; 0]);
            let of_the_cpu = &found["claims"]["cpu"];
            for name in ["measurement", "report_data", "tcb"] {
                let text = of_the_cpu[name].as_str().expect("text");
                let hex = text
                    .bytes()
                    .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
                assert!(hex && !text.is_empty(), "{name}: {text}");
            }
            assert!(of_the_cpu["version"].is_u64());
            assert!(of_the_cpu["status"].is_string());
            let gpu = &found["claims"]["gpus"][0];
            assert_eq!(gpu["driver"], "550.90.07");
            for name in ["nonce", "vbios", "model"] {
                assert!(gpu[name].is_string(), "{name}");
            }
        }
    }
}

#[test]
fn every_failure_of_a_session_is_told_when_asked() {
    let mut lying = machine(Vendor::Amd);
    lying.before_signing = |gpus| gpus[0] = NVIDIA.gpu(0).evidence(&[7; 32]);
    lying.endorsements.crls.clear();
    lying.endorsements.ocsp.clear();
    let scene = Scene::of(&lying);
    scene.write(
        "policy.toml",
        policy_text(&roots(&AMD)).replace(&"d1".repeat(48), &"00".repeat(48)),
    );
    let first = scene.trusting("");
    assert_eq!(codes(&first), ["gpu_nonce_mismatch"]);
    let all = scene.trusting("--explain-only");
    assert_eq!(
        codes(&all),
        [
            "gpu_nonce_mismatch",
            "revocation_unchecked",
            "launch_digest_unknown",
            "ocsp_missing",
            "ocsp_missing",
        ],
        "{all}"
    );
    assert_eq!(all["claims"], Value::Null);
    let told = verify(
        scene.0.path(),
        &Scene::command("session.cbor --policy policy.toml --explain-only"),
    );
    let told = String::from_utf8(told.stdout).expect("text");
    for code in codes(&all) {
        assert!(told.contains(&format!("\nnot trusted: {code} (simulated hardware)\n")));
    }
    assert!(told.contains("policy-4  passed"), "{told}");
    let ear = Scene::command("session.cbor --policy policy.toml --explain-only --format ear");
    let ear = verify(scene.0.path(), &ear).stdout;
    let ear: Value = serde_json::from_slice(&ear).expect("JSON");
    assert_eq!(
        ear["submods"]["gpu"]["ear_verifier_claims"]["verdict"],
        "rejected"
    );
}

#[test]
fn a_changed_report_is_explained_to_its_end() {
    let mut changed = machine(Vendor::Intel);
    changed.td.attributes |= 1;
    changed.td.mrtd = [9; 48];
    changed.alter = |evidence| evidence.gpus.clear();
    let scene = Scene::of(&changed);
    let found = scene.trusting("--explain-only");
    assert_eq!(
        codes(&found),
        [
            "binding_mismatch",
            "td_debug",
            "td_refused",
            "gpu_count_mismatch"
        ],
        "{found}"
    );
    let mut unread = machine(Vendor::Amd);
    unread.alter = |evidence| evidence.claims = vec![0];
    let found = Scene::of(&unread).trusting("--explain-only");
    assert_eq!(codes(&found), ["claims_malformed"], "{found}");
    assert_eq!(
        listed(&found, "platform"),
        "too little of the evidence can be read"
    );
    let mut bare = machine(Vendor::Intel);
    bare.endorsements.tdx.clear();
    bare.endorsements.rims.clear();
    let found = Scene::of(&bare).trusting("--explain-only");
    assert_eq!(
        codes(&found),
        ["tdx_collateral_missing", "rim_missing", "rim_missing"],
        "{found}"
    );
}

#[test]
fn what_a_session_goes_without_is_listed() {
    let mut bare = machine(Vendor::Amd);
    bare.endorsements.crls.clear();
    bare.endorsements.ocsp.clear();
    bare.endorsements.rims.clear();
    let scene = Scene::of(&bare);
    assert_eq!(scene.trusting("")["code"], "revocation_unchecked");
    assert_eq!(scene.trusting("--without crl")["code"], "ocsp_missing");
    assert_eq!(
        scene.trusting("--without crl --without ocsp")["code"],
        "rim_missing"
    );
    let found = scene.trusting("--without crl --without ocsp --without rim");
    assert_eq!(found["verdict"], "trusted", "{found}");
    assert_eq!(listed(&found, "revocation"), "--without crl");
    assert_eq!(listed(&found, "device revocation"), "--without ocsp");
    assert_eq!(listed(&found, "driver RIM"), "--without rim");

    let scene = Scene::of(&machine(Vendor::Intel));
    let asking = policy_text(&roots(&AMD));
    let asking: Vec<_> = asking
        .lines()
        .filter(|line| !line.starts_with("minimum_eval"))
        .collect();
    let asking = asking
        .join("\n")
        .replace("[gpu]", "minimum_evaluation = 17\n[gpu]");
    let asking = asking.replace(
        "event_log = { unchecked = \"nothing was measured at run time\" }",
        "",
    );
    scene.write("policy.toml", asking);
    assert_eq!(scene.trusting("")["code"], "event_log_missing");
    assert_eq!(scene.trusting("--without event-log")["verdict"], "trusted");
    let told = verify(
        scene.0.path(),
        &Scene::command("session.cbor --policy policy.toml"),
    );
    let told = String::from_utf8(told.stdout).expect("text");
    let way = "or:   --without event-log, and the verdict lists it as not checked\n";
    assert!(told.ends_with(way), "{told}");
}

#[test]
fn a_bundle_without_its_conversation_is_never_trusted() {
    let scene = Scene::of(&machine(Vendor::Amd));
    for more in ["", "--without session", "--without session --explain-only"] {
        let found = scene.ask(&format!("bundle.cbor --policy policy.toml {more}"));
        assert_eq!(found["code"], "conversation_missing", "{found}");
        assert_eq!(codes(&found), ["conversation_missing"]);
        assert_eq!(found["claims"], Value::Null);
    }
    let told = verify(
        scene.0.path(),
        &Scene::command("bundle.cbor --policy policy.toml"),
    );
    let told = String::from_utf8(told.stdout).expect("text");
    assert!(told.contains("hint: pass the saved session"), "{told}");
    assert!(
        !told.contains("--without session"),
        "a policy is never met so"
    );
    let found = scene.ask("bundle.cbor --without session");
    assert_eq!(
        found["code"], "simulated_root_refused",
        "the hardware is judged"
    );
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[test]
fn a_bundle_beside_its_conversation_is_a_session() {
    let Session::Asked { nonce, exporter } = SESSION else {
        panic!("a question")
    };
    let key = rcgen::KeyPair::generate().expect("a key");
    let spki = key.subject_public_key_info();
    let certificate = rcgen::CertificateParams::default().self_signed(&key);
    let certificate = certificate.expect("a certificate");
    let mut attested = scene::Scene::honest(&AMD);
    attested.attested = (SESSION, spki.clone());
    let scene = Scene::of(&machine(Vendor::Amd));
    scene.write("bundle.cbor", attested.bundle());
    scene.write("key.der", &spki);
    scene.write("key.pem", pem("PUBLIC KEY", &spki));
    scene.write("certificate.der", certificate.der());
    scene.write("certificate.pem", pem("CERTIFICATE", certificate.der()));
    let other = rcgen::KeyPair::generate().expect("a key");
    scene.write("other.der", other.subject_public_key_info());
    let text = policy_text(&roots(&AMD));
    let (before, gpu) = text.split_once("[gpu]").expect("GPUs");
    let (_, after) = gpu.split_once("[configuration]").expect("a configuration");
    scene.write("policy.toml", format!("{before}[configuration]{after}"));

    let (nonce, exporter) = (hex::encode(nonce), hex::encode(exporter));
    let question = format!("--session-nonce {nonce} --session-exporter {exporter}");
    let with = |key: &str| {
        scene.ask(&format!(
            "bundle.cbor --policy policy.toml --session-key {key} {question}"
        ))
    };
    for key in ["key.der", "key.pem", "certificate.der", "certificate.pem"] {
        let found = with(key);
        assert_eq!(found["verdict"], "trusted", "{key}: {found}");
    }
    assert_eq!(with("other.der")["code"], "binding_mismatch");
    let folder = scene.0.path();
    no_verdict(
        folder,
        &Scene::command("bundle.cbor --session-key key.der"),
        "--session-nonce",
    );
    let session = Scene::command(&format!("session.cbor --session-key key.der {question}"));
    no_verdict(
        folder,
        &session,
        "leave --session-key, --session-nonce and --session-exporter out",
    );
    let swapped = Scene::command(&format!(
        "bundle.cbor --session-key session.cbor {question}"
    ));
    no_verdict(folder, &swapped, "session.cbor is no public key");
}

#[test]
fn sessions_bundles_and_policies_in_the_wrong_place_are_named() {
    let scene = Scene::of(&machine(Vendor::Amd));
    let nonce = "00".repeat(32);
    for (file, kind) in [
        ("session.cbor", "a saved session"),
        ("bundle.cbor", "a bundle of evidence"),
        ("policy.toml", "a policy"),
    ] {
        for (command, wanted) in [
            (
                format!("snp --report {file} --cert {file}"),
                "an SEV-SNP report",
            ),
            (
                format!("tdx --quote {file} --quote-collateral {file}"),
                "a TDX quote",
            ),
            (
                format!("nvidia --nonce {nonce} --report {file}"),
                "a GPU report",
            ),
        ] {
            let named = format!("{file} is {kind}, not {wanted}");
            no_verdict(scene.0.path(), &command, &named);
        }
    }
    let folder = scene.0.path();
    no_verdict(folder, "policy.toml", "it is a policy, and neither");
    let session = fs::read(folder.join("session.cbor")).expect("a file");
    scene.write("cut.cbor", &session[..session.len() - 1]);
    no_verdict(
        folder,
        "cut.cbor",
        "it is a saved session that cannot be read",
    );
    let policy = "session.cbor --policy bundle.cbor";
    no_verdict(folder, policy, "the policy bundle.cbor is not text");
}

#[test]
fn a_bundle_that_breaks_off_is_refused_by_name() {
    let scene = Scene::of(&machine(Vendor::Amd));
    let bundle = fs::read(scene.0.path().join("bundle.cbor")).expect("a file");
    for length in [5, bundle.len() / 2, bundle.len() - 1] {
        scene.write("cut.cbor", &bundle[..length]);
        for more in ["", "--policy policy.toml", "--explain-only"] {
            let found = scene.ask(&format!("cut.cbor {more}"));
            assert_eq!(found["code"], "bundle_malformed", "{found}");
        }
    }
}

#[test]
fn damaged_bytes_in_a_session_end_in_a_refusal_or_an_error() {
    let scene = Scene::of(&machine(Vendor::Intel));
    let command = Scene::command("session.cbor --policy policy.toml");
    assert_no_damage_passes(scene.0.path(), &command);
}
