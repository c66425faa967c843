//! Walks the real TDX evidence in ../shared/vectors/tdx and holds every verdict against its expected.json.
//!
//! The evidence is Intel's and others'; where each file comes from stands in the folder's index. Without the folder every
//! test here prints `skipped: no vectors` and passes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrysalis_attestation::{
    Rejection, Time,
    digest::sha384,
    tdx::{
        Collateral, EventLog, Question, Quote, Roots, Status, TdxPolicy, Verified, explain,
        split_answer, verify,
    },
};
use serde_json::Value;

const WHY: &str = "this test is about something else";

/// The vectors, or nothing if they are not on this machine.
fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/tdx");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no vectors");
    None
}

fn bytes(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&bytes(path)).expect("JSON")
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<_> = fs::read_dir(of)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort();
    folders
}

fn name(folder: &Path) -> String {
    folder
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

fn collateral(vectors: &Path, name: &str) -> Collateral {
    let path = vectors
        .join("collateral")
        .join(name)
        .join("collateral.json");
    Collateral::parse(&bytes(path)).expect("collateral")
}

/// Everything that only a policy could refuse is accepted, except debugging.
fn any_status() -> TdxPolicy {
    TdxPolicy {
        statuses: Status::ALL.to_vec(),
        trailing_accepted: Some(WHY.to_owned()),
        perfmon: true,
        service_td: true,
        ..TdxPolicy::genuine(WHY)
    }
}

struct Case {
    quote: Vec<u8>,
    collateral: Collateral,
    policy: TdxPolicy,
    now: Time,
}

impl Case {
    fn new(vectors: &Path, quote: &str, with: &str, policy: TdxPolicy) -> Self {
        let folder = vectors.join("quotes").join(quote);
        let expected = json(folder.join("expected.json"));
        let now = evaluations(&expected)
            .iter()
            .find(|it| it["collateral"] == with)
            .and_then(|it| it["verify_at_unix"].as_i64())
            .expect("an evaluation with this collateral");
        Self {
            quote: bytes(folder.join("quote.bin")),
            collateral: collateral(vectors, with),
            policy,
            now: Time(now),
        }
    }

    fn ask<T>(&self, ask: impl FnOnce(&[u8], &Question<'_>) -> T) -> T {
        let question = Question {
            roots: &Roots::intel(),
            collateral: &self.collateral,
            event_log: None,
            policy: &self.policy,
            now: self.now,
        };
        ask(&self.quote, &question)
    }

    fn verify(&self) -> Result<Verified, Rejection> {
        self.ask(verify).map_err(|refusal| refusal.rejection)
    }

    fn code(&self) -> &'static str {
        self.verify().expect_err("a refusal").code()
    }
}

fn evaluations(expected: &Value) -> Vec<Value> {
    let found = [
        &expected["tcb_evaluations"],
        &expected["fields"]["tcb_evaluations"],
    ];
    let found = found.into_iter().find_map(Value::as_array);
    found.expect("evaluations").clone()
}

/// What should come out, of what the folder says: Intel's rules, unless a certificate was not valid yet or nothing matched.
fn wanted(evaluation: &Value) -> Result<String, &'static str> {
    let said = evaluation["dcap_qvl_0_7"].as_str().unwrap_or_default();
    let summary = evaluation["summary"].as_str().unwrap_or_default();
    let rules = &evaluation["intel_qvl_rules"];
    if said.contains("CertNotValidYet") {
        return Err("intel_certificate_not_yet_valid");
    }
    if said.contains("Debug mode") {
        return Err("td_debug");
    }
    if said.contains("SEPT_VE_DISABLE") {
        return Err("td_sept_ve");
    }
    match rules["final"].as_str() {
        Some(status) if !summary.contains("not supported") && Status::parse(status).is_ok() => {
            Ok(status.to_owned())
        }
        _ => Err("tcb_not_supported"),
    }
}

fn check_fields(verified: &Verified, expected: &Value, place: &str) {
    let fields = &expected["fields"];
    let td = verified.td();
    let report = &td.report;
    let texts = [
        ("tee_tcb_svn", report.tee_tcb_svn.to_string()),
        ("mrseam", report.mrseam.to_string()),
        ("mrsignerseam", report.mrsignerseam.to_string()),
        ("seamattr", report.seam_attributes.to_string()),
        ("tdattr", hex::encode(report.attributes.to_le_bytes())),
        ("xfam", hex::encode(report.xfam.to_le_bytes())),
        ("mrtd", report.mrtd.to_string()),
        ("mrcfgid", report.mrconfigid.to_string()),
        ("mrowner", report.mrowner.to_string()),
        ("mrownercfg", report.mrownerconfig.to_string()),
        ("rd", report.report_data.to_string()),
    ];
    for (field, found) in texts {
        assert_eq!(fields[field], found, "{place} {field}");
    }
    for (place_of, register) in report.rtmr.iter().enumerate() {
        assert_eq!(fields["rtmr"][place_of], register.to_string(), "{place}");
    }
    if let (Some(svn), Some(service)) = (report.tee_tcb_svn_2, report.mrservicetd) {
        assert_eq!(fields["tee_tcb_svn2"], svn.to_string(), "{place}");
        assert_eq!(fields["mrservicetd"], service.to_string(), "{place}");
    }
    assert_eq!(fields["quote_version"], td.version, "{place}");
    assert_eq!(fields["trailing_bytes"], td.trailing_bytes, "{place}");
    let pck = &fields["pck"];
    let platform = &td.platform;
    assert_eq!(pck["fmspc"], platform.fmspc.to_string(), "{place}");
    assert_eq!(pck["pceid"], platform.pceid.to_string(), "{place}");
    assert_eq!(pck["pcesvn"], platform.pcesvn, "{place}");
    assert_eq!(pck["ppid"], platform.ppid.to_string(), "{place}");
    assert_eq!(pck["sgxtype"], platform.sgx_type, "{place}");
    let components: Vec<u64> = platform
        .components
        .0
        .iter()
        .map(|it| u64::from(*it))
        .collect();
    assert_eq!(pck["comps"], Value::from(components), "{place}");
    assert_eq!(fields["qe"]["isvsvn"], td.qe_svn, "{place}");
}

#[test]
fn every_quote_has_the_expected_status_with_every_collateral() {
    let Some(vectors) = vectors() else { return };
    let (mut pairs, mut verified_pairs) = (0, 0);
    for folder in folders(&vectors.join("quotes")) {
        let quote = name(&folder);
        let expected = json(folder.join("expected.json"));
        if quote.starts_with("v3-sgx") {
            continue;
        }
        for evaluation in evaluations(&expected) {
            let with = evaluation["collateral"].as_str().expect("a name");
            let place = format!("{quote} @ {with}");
            let mut policy = any_status();
            let said = evaluation["dcap_qvl_0_7"].as_str().unwrap_or_default();
            let wanted = match wanted(&evaluation) {
                // Our order has Intel's rules first and the policy's bits after them; with the bits allowed, the status counts.
                Err("td_debug" | "td_sept_ve") => {
                    let strict = Case::new(&vectors, &quote, with, any_status());
                    let code = if said.contains("Debug") {
                        "td_debug"
                    } else {
                        "td_sept_ve"
                    };
                    assert_eq!(strict.code(), code, "{place}");
                    policy.debug = true;
                    policy.sept_ve_accepted = Some(WHY.to_owned());
                    Ok(evaluation["intel_qvl_rules"]["final"]
                        .as_str()
                        .expect("a status")
                        .to_owned())
                }
                wanted => wanted,
            };
            if folder.join("hcl-report.bin").exists() {
                policy.sept_ve_accepted = Some(WHY.to_owned());
            }
            let mut case = Case::new(&vectors, &quote, with, policy);
            pairs += 1;
            let found = case.verify();
            match (&found, &wanted) {
                (Ok(verified), Ok(status)) => {
                    verified_pairs += 1;
                    assert_eq!(verified.td().status.word(), status, "{place}");
                    check_fields(verified, &expected, &place);
                    let rules = &evaluation["intel_qvl_rules"];
                    if let Some(module) = verified.td().module_status {
                        assert_eq!(rules["module"], module.word(), "{place}");
                    }
                    assert_eq!(
                        rules["tdx"],
                        verified.td().platform_status.word(),
                        "{place}"
                    );
                    assert_eq!(rules["qe"], verified.td().qe_status.word(), "{place}");
                    let mut advisories: Vec<String> =
                        serde_json::from_value(rules["adv"].clone()).expect("a list");
                    advisories.sort();
                    advisories.dedup();
                    assert_eq!(verified.td().advisories, advisories, "{place}");
                    let numbers: Vec<u32> =
                        serde_json::from_value(rules["evalnum"].clone()).expect("numbers");
                    assert_eq!(
                        Some(verified.td().evaluation),
                        numbers.into_iter().min(),
                        "{place}"
                    );
                    assert!(verified.until() >= case.now, "{place}");
                    assert!(!verified.simulated(), "{place}");
                    if status != "UpToDate" {
                        case.policy.statuses = TdxPolicy::genuine(WHY).statuses;
                        assert_eq!(case.code(), "tcb_status_refused", "{place}");
                    }
                }
                (Err(rejection), Err(code)) => {
                    assert_eq!(rejection.code(), *code, "{place}: {rejection}");
                }
                (found, wanted) => panic!("{place}: {found:?}, expected {wanted:?}"),
            }
        }
    }
    assert!(
        pairs >= 50 && verified_pairs >= 20,
        "{pairs}, {verified_pairs}"
    );
    println!("{pairs} pairs of quote and collateral, {verified_pairs} verified");
}

#[test]
fn an_enclaves_quote_is_refused_by_name() {
    let Some(vectors) = vectors() else { return };
    let case = Case::new(
        &vectors,
        "v3-sgx-phala",
        "sgx-00a06711-2025-06",
        any_status(),
    );
    assert_eq!(case.verify(), Err(Rejection::QuoteOfEnclave { version: 3 }));
    // Read to its end all the same.
    let quote = Quote::parse(&case.quote).expect("a quote");
    assert_eq!(quote.chain.len(), 3);
    assert_eq!(quote.qe.isvsvn, 10);
    let collateral = Case {
        collateral: case.collateral,
        ..Case::new(&vectors, "v4-phala", "b0c06f-2025-06", any_status())
    };
    assert_eq!(collateral.code(), "intel_crl_issuer");
}

#[test]
fn a_current_td_passes_the_strict_policy() {
    let Some(vectors) = vectors() else { return };
    for (quote, with) in [
        ("v4-phala", "b0c06f-2025-06"),
        ("v5-td15-gtg", "90c06f-2026-03"),
        ("v4-cos113-gcp-gtg", "00806f05-2025-06"),
    ] {
        let case = Case::new(&vectors, quote, with, TdxPolicy::genuine(WHY));
        let verified = case.verify().expect(quote);
        assert_eq!(verified.td().status, Status::UpToDate, "{quote}");
        assert_eq!(case.ask(explain).0, [], "{quote}");
    }
    let newer = Case::new(
        &vectors,
        "v4-phala",
        "b0c06f-2026-08",
        TdxPolicy::genuine(WHY),
    );
    assert_eq!(newer.code(), "tcb_status_refused");
}

#[test]
fn stray_bytes_behind_a_quote_need_a_reason() {
    let Some(vectors) = vectors() else { return };
    let (quote, with) = ("v4-spr-e4-gtg", "50806f-2026-03");
    let case = Case::new(&vectors, quote, with, TdxPolicy::genuine(WHY));
    assert_eq!(case.verify(), Err(Rejection::QuoteTrailing { extra: 39 }));
    let case = Case::new(&vectors, quote, with, any_status());
    assert_eq!(case.code(), "tcb_not_supported");
}

#[test]
fn collateral_counts_only_in_its_time() {
    let Some(vectors) = vectors() else { return };
    let mut case = Case::new(&vectors, "v4-phala", "b0c06f-2025-06", any_status());
    case.now = Time(1_763_800_000);
    assert_eq!(case.code(), "intel_crl_expired");
    case.now = Time(1_749_000_000);
    assert_eq!(case.code(), "intel_crl_not_yet_valid");
}

#[test]
fn collateral_of_another_authority_or_platform_is_refused() {
    let Some(vectors) = vectors() else { return };
    let good = || Case::new(&vectors, "v4-phala", "b0c06f-2026-08", any_status());
    let mut case = good();
    case.collateral.pck_crl =
        bytes(vectors.join("collateral/processor-ca-crl/pck_processor_crl.der"));
    assert_eq!(
        case.verify(),
        Err(Rejection::IntelCrlIssuer { which: "PCK" })
    );

    let mut case = good();
    let other = collateral(&vectors, "50806f-2026-03");
    case.now = Time(1_775_000_000);
    case.collateral = other;
    assert_eq!(case.code(), "tcb_info_mismatch");

    let synthetic = vectors.join("intel-qvl-synthetic");
    let mut case = good();
    let text = bytes(synthetic.join("tdx/tcbSignChain.pem"));
    case.collateral.tcb_info_issuer_chain = String::from_utf8(text).expect("text");
    assert_eq!(case.code(), "intel_root_unknown");
    let mut case = good();
    case.quote = bytes(synthetic.join("sgx/quote.dat"));
    assert_eq!(
        case.verify(),
        Err(Rejection::QuoteCertification { found: 1 })
    );
    case.quote = bytes(synthetic.join("tdx/quote.dat"));
    assert_eq!(case.code(), "quote_malformed");
}

#[test]
fn answers_of_intels_service_come_apart_byte_by_byte() {
    let Some(vectors) = vectors() else { return };
    for folder in folders(&vectors.join("collateral")) {
        if !folder.join("collateral.json").exists() {
            continue;
        }
        let known = collateral(&vectors, &name(&folder));
        for (file, object, body, signature) in [
            (
                "tcb_info.json",
                "tcbInfo",
                &known.tcb_info,
                known.tcb_info_signature,
            ),
            (
                "qe_identity.json",
                "enclaveIdentity",
                &known.qe_identity,
                known.qe_identity_signature,
            ),
        ] {
            let answer = String::from_utf8(bytes(folder.join(file))).expect("text");
            let found = split_answer(&answer, object).expect("an answer");
            assert_eq!(found, (&**body, signature), "{} {file}", folder.display());
        }
    }
}

/// Each bit of the quote, and of the collateral wherever that says something else than before.
#[test]
fn no_flipped_bit_is_verified() {
    let Some(vectors) = vectors() else { return };
    let good = Case::new(&vectors, "v5-td15-gtg", "90c06f-2026-03", any_status());
    good.verify().expect("a good quote");
    for place in 0..good.quote.len() {
        let mut quote = good.quote.clone();
        quote[place] ^= 1 << (place % 8);
        let result = good.ask(|_, question| verify(&quote, question));
        assert!(result.is_err(), "byte {place} of the quote");
    }
    let path = vectors.join("collateral/90c06f-2026-03/collateral.json");
    let text = bytes(path);
    for place in (0..text.len()).step_by(3) {
        let mut flipped = text.clone();
        flipped[place] ^= 1 << (place % 7);
        let Ok(collateral) = Collateral::parse(&flipped) else {
            continue;
        };
        if collateral == good.collateral {
            continue;
        }
        let case = Case {
            quote: good.quote.clone(),
            collateral,
            policy: any_status(),
            now: good.now,
        };
        assert!(case.verify().is_err(), "byte {place} of the collateral");
    }
}

/// Another project's evidence lists its events as JSON: as a TCG2 log they must make the quote's registers.
#[test]
fn a_real_log_makes_the_registers() {
    let Some(vectors) = vectors() else { return };
    let folder = vectors.join("quotes/v4-dstack-report");
    let report = json(folder.join("quote-report.json"));
    let events: Vec<Value> =
        serde_json::from_str(report["event_log"].as_str().expect("text")).expect("JSON");
    let mut log = Vec::new();
    for part in [0_u32, 3] {
        log.extend(part.to_le_bytes());
    }
    let specification = [
        b"Spec ID Event03\0".as_slice(),
        &[0, 0, 0, 0, 0, 2, 0, 2],
        &1_u32.to_le_bytes(),
        &[0x0C, 0, 48, 0, 0],
    ]
    .concat();
    log.extend([0; 20]);
    log.extend(
        u32::try_from(specification.len())
            .expect("short")
            .to_le_bytes(),
    );
    log.extend(&specification);
    for event in &events {
        let payload = hex::decode(event["event_payload"].as_str().expect("hex")).expect("hex");
        let digest = hex::decode(event["digest"].as_str().expect("hex")).expect("hex");
        let register = u32::try_from(event["imr"].as_u64().expect("a number")).expect("small") + 1;
        let kind = u32::try_from(event["event_type"].as_u64().expect("a number")).expect("small");
        for part in [register, kind, 1] {
            log.extend(part.to_le_bytes());
        }
        log.extend([0x0C, 0]);
        log.extend(&digest);
        log.extend(u32::try_from(payload.len()).expect("short").to_le_bytes());
        log.extend(&payload);
    }
    log.extend([0xFF; 64]);
    let parsed = EventLog::parse(&log).expect("a log");
    assert_eq!(parsed.events.len(), events.len());
    assert!(parsed.events.iter().any(|event| event.data_is_measured));
    for event in &parsed.events {
        assert_eq!(
            event.data_is_measured,
            sha384(&[&event.data]) == event.digest.0
        );
    }
    let quote = bytes(folder.join("quote.bin"));
    let quote = Quote::parse(&quote).expect("a quote");
    assert_eq!(parsed.replay(), quote.td().expect("a TD").rtmr);

    let case = Case::new(
        &vectors,
        "v4-dstack-report",
        "90c06f-2026-03",
        TdxPolicy {
            event_log_unchecked: None,
            ..any_status()
        },
    );
    assert_eq!(case.verify(), Err(Rejection::EventLogMissing));
    let verified = case.ask(|quote, question| {
        let event_log = Some(&*log);
        verify(
            quote,
            &Question {
                event_log,
                ..*question
            },
        )
    });
    assert!(verified.expect("verified").td().event_log.is_some());
}
