//! Asks the library what the command line has no words for: an OCSP answer's nonce, files beyond the command line's own limits,
//! and a relying party's own key that is none.

use std::{fs, path::Path};

use chrysalis_attestation::{
    Rejection, Waivers, alone,
    alone::gpus::{GpuQuestion, verify},
    encoding::digest::Hex,
    evidence::Evidence,
    nvidia::{GpuCollateral, NvidiaRoots, evidence, ocsp::OcspAnswer},
    policy::Policy,
    release::PublicKey,
    tdx,
};
use chrysalis_tests::scene::NOW;
use serde_json::{Value, json};

use crate::run::zeros;

/// A way to ask, by what the request asks.
pub(crate) type Ask = fn(&Path, &Value) -> Result<(), Rejection>;

/// Vectors that the library is asked about.
pub(crate) const ASKED: [(&str, Ask); 4] = [
    ("bundle/bundle-too-large", bundle),
    ("nvidia/ocsp-nonce-mismatch", nvidia),
    ("release/release-key-malformed", release),
    ("tdx/event-log-too-large", quote),
];

/// What comes out, in the words of the command line.
pub(crate) fn outcome(ask: Ask, folder: &Path, request: &Value) -> Value {
    match ask(folder, request) {
        Ok(()) => json!({"verdict": "trusted", "code": null}),
        Err(rejection) => json!({"verdict": "rejected", "code": rejection.code()}),
    }
}

fn file(folder: &Path, value: &Value) -> Vec<u8> {
    match value["zeros"].as_u64() {
        Some(count) => zeros(count),
        None => fs::read(folder.join(value.as_str().expect("a file"))).expect("the file"),
    }
}

fn files(folder: &Path, value: &Value) -> Vec<Vec<u8>> {
    let list = value.as_array().expect("a list").iter();
    list.map(|it| file(folder, it)).collect()
}

fn policy(folder: &Path, request: &Value) -> String {
    String::from_utf8(file(folder, &request["policy"])).expect("text")
}

fn bundle(folder: &Path, request: &Value) -> Result<(), Rejection> {
    Evidence::decode(&file(folder, &request["bundle"])).map(drop)
}

fn release(folder: &Path, request: &Value) -> Result<(), Rejection> {
    PublicKey::read(&file(folder, &request["key"])).map(drop)
}

fn nvidia(folder: &Path, request: &Value) -> Result<(), Rejection> {
    let text = policy(folder, request);
    let roots = Policy::parse_simulation(&text).expect("a policy");
    let [devices, manifests] = roots[..] else {
        panic!("the policy names both roots")
    };
    let nonce = |key: &str| -> [u8; 32] {
        let bytes = hex::decode(request[key].as_str().expect("hex")).expect("hex");
        bytes.try_into().expect("32 bytes")
    };
    let asked = nonce("ocsp_nonce");
    let answers = files(folder, &request["ocsp"]).into_iter();
    let answer = |der| OcspAnswer {
        der,
        nonce: Some(asked),
    };
    let collateral = GpuCollateral {
        rims: files(folder, &request["rim"]),
        ocsp: answers.map(answer).collect(),
    };
    let chain = file(folder, &request["chain"]);
    let gpus = evidence::read(&file(folder, &request["report"]), Some(&chain))?;
    let question = GpuQuestion {
        nonce: &nonce("nonce"),
        roots: &NvidiaRoots::nvidia().and_simulated(devices, manifests),
        collateral: &collateral,
        policy: Some(&Policy::parse_gpu(&text).expect("a policy")),
        waivers: Waivers::none(),
        now: NOW,
    };
    verify(&gpus, &question)
        .map(drop)
        .map_err(|it| it.rejection)
}

fn quote(folder: &Path, request: &Value) -> Result<(), Rejection> {
    let text = policy(folder, request);
    let roots = Policy::parse_simulation(&text).expect("a policy");
    let roots = roots
        .into_iter()
        .fold(tdx::IntelRoots::intel(), tdx::IntelRoots::and_simulated);
    let mut policy = Policy::parse_tdx(&text).expect("a policy");
    let asked: Hex<64> = serde_json::from_value(request["report_data"].clone()).expect("hex");
    policy.report_data = chrysalis_attestation::transcript::Expect::AnyOf(vec![asked.0]);
    let collateral = tdx::IntelCollateral::parse(&file(folder, &request["collateral"]))?;
    let question = alone::tdx::TdxQuestion {
        roots: &roots,
        collateral: &collateral,
        policy: Some(&policy),
        release: None,
        rebuilders: None,
        report_data: None,
        waivers: Waivers::none(),
        now: NOW,
    };
    let (quote, log) = (
        file(folder, &request["quote"]),
        file(folder, &request["event_log"]),
    );
    let evidence = alone::tdx::TdxEvidence {
        event_log: Some(&log),
        ..(&quote).into()
    };
    alone::tdx::verify(evidence, &question)
        .map(drop)
        .map_err(|it| it.rejection)
}
