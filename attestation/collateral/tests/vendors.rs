//! Intel's and NVIDIA's services, played by a local one with real objects from ../shared/vectors. Without that folder every
//! test here prints `skipped: no vectors` and passes.

#![allow(clippy::unwrap_used, reason = "what helps a test fails as a test does")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrysalis_attestation::{
    Rejection, Time, Waivers, alone,
    nvidia::{
        self, GpuPolicy,
        policy::{Proof, Revocation, Wanted},
    },
    tdx::{self, Status},
};
use chrysalis_collateral::{
    Anchors, FetchError, Gathered, Refresh, Service, Store, StoreError, Update, Wish,
};
use common::{Answer, Asked, Stage, codes, ok, status};
use serde_json::{Value, json};

/// 2025-07-01 12:00 UTC: inside the window of Intel's collateral.
const JULY: Time = Time(1_751_371_200);
/// 2026-03-01 00:00 UTC: both manifests of the H100 hold.
const MARCH: Time = Time(1_772_323_200);
const TCB: &str = "/tdx/certification/v4/tcb?fmspc=b0c06f000000";
const IDENTITY: &str = "/tdx/certification/v4/qe/identity";
const PCK_LIST: &str = "/sgx/certification/v4/pckcrl?ca=platform&encoding=der";
const ROOT_LIST: &str = "/IntelSGXRootCA.der";
const DRIVER: &str = "NV_GPU_DRIVER_GH100_550.90.07";
const VBIOS: &str = "NV_GPU_VBIOS_1010_0200_882_96009F0001";

fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no vectors");
    None
}

/// A TD's quote, Intel's real answers, and the service that gives them.
struct Intel {
    quote: Vec<u8>,
    collateral: Value,
    stage: Stage,
}

impl Intel {
    fn new() -> Option<Self> {
        let tdx = vectors()?.join("tdx");
        let read = |path: &str| fs::read(tdx.join(path)).expect(path);
        let collateral = read("collateral/b0c06f-2025-06/collateral.json");
        let intel = Self {
            quote: read("quotes/v4-phala/quote.bin"),
            collateral: serde_json::from_slice(&collateral).unwrap(),
            stage: Stage::new(JULY, Anchors::vendors()),
        };
        intel
            .stage
            .local
            .answer(
                TCB,
                [intel.signed("tcb_info", "tcbInfo", "TCB-Info-Issuer-Chain")],
            )
            .answer(
                IDENTITY,
                [intel.signed(
                    "qe_identity",
                    "enclaveIdentity",
                    "SGX-Enclave-Identity-Issuer-Chain",
                )],
            )
            .answer(PCK_LIST, [intel.listed()])
            .answer(ROOT_LIST, [ok(&intel.hex("root_ca_crl"))]);
        Some(intel)
    }

    fn text(&self, field: &str) -> &str {
        self.collateral[field].as_str().unwrap()
    }

    fn hex(&self, field: &str) -> Vec<u8> {
        hex::decode(self.text(field)).unwrap()
    }

    fn chain(&self, header: &str, field: &str) -> String {
        let encoded: String = self
            .text(field)
            .bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        format!("{header}: {encoded}")
    }

    fn signed(&self, field: &str, object: &str, header: &str) -> Answer {
        let signature = self.text(&format!("{field}_signature"));
        let body = format!(
            "{{\"{object}\":{},\"signature\":\"{signature}\"}}",
            self.text(field)
        );
        let chain = self.chain(header, &format!("{field}_issuer_chain"));
        Answer::Whole(200, vec![chain], body.into_bytes())
    }

    fn listed(&self) -> Answer {
        let chain = self.chain("SGX-PCK-CRL-Issuer-Chain", "pck_crl_issuer_chain");
        Answer::Whole(200, vec![chain], self.hex("pck_crl"))
    }

    fn gather(&self) -> Vec<Gathered> {
        let wish = Wish::of_quote(&self.quote).unwrap();
        self.stage.gather(&wish, Refresh::Due)
    }

    fn error(&self, place: usize) -> FetchError {
        let wish = Wish::of_quote(&self.quote).unwrap();
        self.stage
            .gather(&wish, Refresh::All)
            .swap_remove(place)
            .outcome
            .unwrap_err()
            .error
    }
}

#[test]
fn a_quote_is_verified_from_the_folder_as_from_the_file() {
    let Some(intel) = Intel::new() else { return };
    assert_eq!(codes(&intel.gather()), ["", "", "", ""]);
    let folder = intel.stage.folder.path();
    for path in [
        "intel/b0c06f000000/tcb.json",
        "intel/qe-identity.json",
        "intel/pck-platform-crl.der",
        "intel/root-crl.der",
    ] {
        assert!(folder.join(path).is_file(), "{path}");
    }
    let fetched = Store::open(folder)
        .unwrap()
        .for_quote(&intel.quote)
        .unwrap();
    let json = serde_json::to_vec(&intel.collateral).unwrap();
    let given = tdx::IntelCollateral::parse(&json).unwrap();
    assert_eq!(
        (
            &fetched.tcb_info,
            &fetched.qe_identity,
            &fetched.root_ca_crl,
            &fetched.pck_crl
        ),
        (
            &given.tcb_info,
            &given.qe_identity,
            &given.root_ca_crl,
            &given.pck_crl
        )
    );
    let policy = tdx::TdxPolicy {
        statuses: Status::ALL.to_vec(),
        ..tdx::TdxPolicy::genuine("this test is about the collateral")
    };
    let verdict = |collateral: &tdx::IntelCollateral| {
        let question = alone::tdx::TdxQuestion {
            roots: &tdx::IntelRoots::intel(),
            collateral,
            policy: Some(&policy),
            release: None,
            rebuilders: None,
            report_data: None,
            waivers: Waivers::none(),
            now: JULY,
        };
        alone::tdx::verify(&intel.quote, &question)
            .map(|it| it.td().clone())
            .map_err(|it| it.rejection)
    };
    assert_eq!(verdict(&fetched), verdict(&given));
}

#[test]
fn early_rules_are_asked_for_even_where_fresh_ones_of_the_other_kind_are_kept() {
    let Some(mut intel) = Intel::new() else {
        return;
    };
    assert_eq!(codes(&intel.gather()), ["", "", "", ""]);
    intel.stage.local.forget();
    let (tcb, identity) = (
        format!("{TCB}&update=early"),
        format!("{IDENTITY}?update=early"),
    );
    intel
        .stage
        .local
        .answer(
            &tcb,
            [intel.signed("tcb_info", "tcbInfo", "TCB-Info-Issuer-Chain")],
        )
        .answer(
            &identity,
            [intel.signed(
                "qe_identity",
                "enclaveIdentity",
                "SGX-Enclave-Identity-Issuer-Chain",
            )],
        );
    intel.stage.update = Update::Early;
    assert_eq!(codes(&intel.gather()), ["", "", "", ""]);
    let lines = intel.stage.local.lines();
    let early = lines.iter().filter(|line| line.contains("update=early"));
    assert_eq!(early.count(), 2, "{lines:?}");
    for line in &lines {
        assert!(
            !line.contains(&format!("{TCB} ")) && !line.contains(&format!("{IDENTITY} ")),
            "{line}"
        );
    }
    intel.stage.local.forget();
    assert_eq!(codes(&intel.gather()), ["", "", "", ""]);
    let again = intel.stage.local.lines();
    assert!(
        !again.iter().any(|line| line.contains("update=")),
        "{again:?}"
    );
}

#[test]
fn a_quote_whose_collateral_is_not_all_there_says_what_lacks() {
    let Some(intel) = Intel::new() else { return };
    intel.stage.local.answer(TCB, [status(404)]);
    assert_eq!(codes(&intel.gather()), ["not_known", "", "", ""]);
    let lacks = intel.stage.store.for_quote(&intel.quote).unwrap_err();
    assert!(
        matches!(&lacks, StoreError::Lacks(what) if what == &["Intel's TCB info for FMSPC b0c06f000000"]),
        "{lacks}"
    );
}

#[test]
fn keeps_no_answer_of_intel_that_was_changed_swapped_or_cut() {
    let Some(intel) = Intel::new() else { return };
    let unfit = |place: usize, path: &str, answer: Answer| {
        intel.stage.local.answer(path, [answer]);
        match intel.error(place) {
            FetchError::Unfit { rejection, .. } => rejection.code(),
            other => panic!("{other}"),
        }
    };
    let Answer::Whole(_, headers, body) =
        intel.signed("tcb_info", "tcbInfo", "TCB-Info-Issuer-Chain")
    else {
        panic!()
    };
    let whole = |body: &[u8]| Answer::Whole(200, headers.clone(), body.to_vec());
    let text = String::from_utf8(body.clone()).unwrap();
    let changed = text.replace("UpToDate", "upToDate");
    assert_eq!(
        unfit(0, TCB, whole(changed.as_bytes())),
        "tdx_collateral_signature"
    );
    let cut = &text[..text.len() - 40];
    assert_eq!(
        unfit(0, TCB, whole(cut.as_bytes())),
        "tdx_collateral_malformed"
    );
    let swapped = intel.signed("qe_identity", "enclaveIdentity", "TCB-Info-Issuer-Chain");
    assert_eq!(unfit(0, TCB, swapped), "tdx_collateral_malformed");
    let other = fs::read(
        vectors()
            .unwrap()
            .join("tdx/collateral/processor-ca-crl/pck_processor_crl.der"),
    )
    .unwrap();
    let Answer::Whole(_, headers, _) = intel.listed() else {
        panic!()
    };
    assert_eq!(
        unfit(2, PCK_LIST, Answer::Whole(200, headers, other)),
        "intel_crl_issuer"
    );
    assert_eq!(
        unfit(3, ROOT_LIST, ok(&intel.hex("pck_crl"))),
        "intel_crl_issuer"
    );
    for (place, path, body) in [
        (0, TCB, &body[..]),
        (2, PCK_LIST, &intel.hex("pck_crl")[..]),
    ] {
        intel.stage.local.answer(path, [ok(body)]);
        let what = "it has no issuer chain in its header";
        assert!(matches!(intel.error(place), FetchError::Form { what: it, .. } if it == what));
    }
    assert!(
        !intel
            .stage
            .folder
            .path()
            .join("intel/b0c06f000000/tcb.json")
            .exists()
    );
}

#[test]
fn keeps_no_tcb_info_of_another_platform() {
    let Some(intel) = Intel::new() else { return };
    let other = vectors()
        .unwrap()
        .join("tdx/collateral/90c06f-2025-06/collateral.json");
    let other = Intel {
        collateral: serde_json::from_slice(&fs::read(other).unwrap()).unwrap(),
        quote: Vec::new(),
        stage: Stage::new(JULY, Anchors::vendors()),
    };
    let answer = other.signed("tcb_info", "tcbInfo", "TCB-Info-Issuer-Chain");
    intel.stage.local.answer(TCB, [answer]);
    let FetchError::Unfit { rejection, .. } = intel.error(0) else {
        panic!()
    };
    assert!(
        matches!(
            *rejection,
            Rejection::TcbInfoMismatch { field: "FMSPC", .. }
                | Rejection::TdxCollateralExpired { .. }
        ),
        "{rejection}"
    );
}

/// An H100's evidence, its real manifests, and the service that has them.
struct Nvidia {
    gpus: Vec<nvidia::GpuEvidence>,
    rims: PathBuf,
    stage: Stage,
}

impl Nvidia {
    fn new() -> Option<Self> {
        let folder = vectors()?.join("nvidia/h100-550.90.07");
        let read = |name: &str| fs::read(folder.join(name)).expect(name);
        let gpus = nvidia::evidence::read(&read("report.bin"), Some(&read("chain.pem"))).unwrap();
        let nvidia = Self {
            gpus,
            rims: folder.join("rim"),
            stage: Stage::new(MARCH, Anchors::vendors()),
        };
        for id in [DRIVER, VBIOS] {
            nvidia.stage.local.answer(&path(id), [nvidia.rim(id, id)]);
        }
        Some(nvidia)
    }

    /// The manifest of one id as the answer about another.
    fn rim(&self, of: &str, about: &str) -> Answer {
        let rim = fs::read(self.rims.join(format!("{of}.swidtag"))).unwrap();
        let rim = data_encoding::BASE64.encode(&rim);
        ok(
            json!({"id": about, "rim": rim, "sha256": "", "request_id": "x"})
                .to_string()
                .as_bytes(),
        )
    }

    fn gather(&self) -> Vec<Gathered> {
        let wish = Wish::of_gpus(&self.gpus).unwrap();
        self.stage.gather(&wish, Refresh::Due)
    }
}

fn path(id: &str) -> String {
    format!("/v1/rim/{id}")
}

#[test]
fn a_gpu_is_compared_with_manifests_from_the_folder() {
    let Some(nvidia) = Nvidia::new() else { return };
    let gathered = nvidia.gather();
    // Two manifests, three certificates of the device, and those of the two manifests' chains, some of them shared.
    assert!(gathered.len() > 5, "{}", gathered.len());
    assert!(
        codes(&gathered)
            .iter()
            .skip(2)
            .all(|code| *code == "not_known")
    );
    let collateral = nvidia.stage.store.for_gpus(&nvidia.gpus).unwrap();
    assert_eq!((collateral.rims.len(), collateral.ocsp.len()), (2, 0));
    let why = "no real answer is at hand".to_owned();
    let policy = GpuPolicy {
        proof: Proof {
            revocation: Revocation::Unchecked { why },
            ..Proof::complete()
        },
        wanted: Wanted::any("this test is about the manifests"),
    };
    let asked = nvidia::needs::rim_ids(&nvidia.gpus[0]).unwrap();
    assert_eq!(asked, [DRIVER, VBIOS]);
    let nonce = nvidia::spdm::Report::parse(&nvidia.gpus[0].report)
        .unwrap()
        .request
        .nonce;
    let question = alone::gpus::GpuQuestion {
        nonce: &nonce,
        roots: &nvidia::NvidiaRoots::nvidia(),
        collateral: &collateral,
        policy: Some(&policy),
        waivers: Waivers::none(),
        now: MARCH,
    };
    let verified = alone::gpus::verify(&nvidia.gpus, &question).unwrap();
    assert_eq!(verified.gpus()[0].driver, "550.90.07");
}

#[test]
fn keeps_no_manifest_under_another_ones_id() {
    let Some(nvidia) = Nvidia::new() else { return };
    let error = |answer: Answer| {
        nvidia.stage.local.answer(&path(DRIVER), [answer]);
        nvidia.gather().swap_remove(0).outcome.unwrap_err().error
    };
    let wrong = error(nvidia.rim(VBIOS, VBIOS));
    assert!(
        matches!(&wrong, FetchError::WrongId { found, .. } if found == VBIOS),
        "{wrong}"
    );
    let FetchError::Unfit { rejection, .. } = error(nvidia.rim(VBIOS, DRIVER)) else {
        panic!()
    };
    let found = "96.00.9F.00.01".to_owned();
    let kind = "the id";
    assert_eq!(
        *rejection,
        Rejection::RimVersionMismatch {
            kind,
            wanted: DRIVER.to_owned(),
            found
        }
    );
    assert!(matches!(
        error(ok(b"<SoftwareIdentity/>")),
        FetchError::Form { .. }
    ));
    let json = json!({"id": DRIVER, "rim": "not base64"}).to_string();
    assert!(matches!(
        error(ok(json.as_bytes())),
        FetchError::Form { .. }
    ));
    assert!(
        !nvidia
            .stage
            .folder
            .path()
            .join(format!("nvidia/rim/{DRIVER}.xml"))
            .exists()
    );
}

#[test]
fn asks_the_responder_with_a_nonce_and_keeps_nothing_that_is_no_answer() {
    let Some(mut nvidia) = Nvidia::new() else {
        return;
    };
    let base = format!("{}/ocsp", nvidia.stage.local.base);
    nvidia
        .stage
        .mirrors
        .set(Service::NvidiaOcsp, &base)
        .unwrap();
    // OCSPResponse { unauthorized }: what NVIDIA's responder says about a certificate that it does not know.
    nvidia
        .stage
        .local
        .answer("/ocsp", [ok(&[0x30, 3, 0x0A, 1, 6])]);
    let gathered = nvidia.gather();
    let FetchError::Unfit { rejection, .. } = &gathered[2].outcome.as_ref().unwrap_err().error
    else {
        panic!()
    };
    assert_eq!(**rejection, Rejection::OcspUnsuccessful { status: 6 });
    let asked = nvidia.stage.local.asked();
    let posted: Vec<&Asked> = asked
        .iter()
        .filter(|it| it.line == "POST /ocsp HTTP/1.1")
        .collect();
    assert_eq!(posted.len(), gathered.len() - 2);
    assert!(
        posted
            .iter()
            .all(|it| it.body.windows(32).any(|bytes| bytes == [127; 32]))
    );
}

#[test]
fn real_reports_fetch_their_certificate_and_list() {
    let Some(vectors) = vectors() else { return };
    // 2026-09-01 00:00 UTC
    let stage = Stage::new(Time(1_788_220_800), Anchors::vendors());
    for (name, product, query) in [
        (
            "genoa-v3-ms",
            "Genoa",
            "blSPL=10&teeSPL=00&snpSPL=23&ucodeSPL=84",
        ),
        ("turin-v5-ms", "Turin", ""),
    ] {
        let read = |name: &str| fs::read(vectors.join("snp").join(name)).expect("a vector");
        let report = read(&format!("{name}/report.bin"));
        let wish = Wish::of_report(&report, &[]).unwrap();
        stage.local.answer(
            &format!("/vcek/v1/{product}/crl"),
            [ok(&read(&format!(
                "crls/{}_2026-08.crl.der",
                product.to_lowercase()
            )))],
        );
        stage.local.forget();
        // The service does not know it yet, and the question says where it will be.
        assert_eq!(
            codes(&stage.gather(&wish, Refresh::Due)),
            ["not_known", ""],
            "{name}"
        );
        let line = stage.local.lines().swap_remove(0);
        let path = line.split(' ').nth(1).unwrap().to_owned();
        assert!(
            path.starts_with(&format!("/vcek/v1/{product}/")) && path.ends_with(query),
            "{path}"
        );
        stage
            .local
            .answer(&path, [ok(&read(&format!("{name}/vcek.der")))]);
        assert_eq!(
            codes(&stage.gather(&wish, Refresh::Due)),
            ["", ""],
            "{name}"
        );
        let collateral = stage.store.for_report(&report, &[]).unwrap();
        assert_eq!(
            (collateral.certificates.len(), collateral.crls.len()),
            (1, 1)
        );
    }
}
