//! Asks the library what the command line has no words for: an OCSP answer's nonce, files beyond the command line's own limits,
//! and a relying party's own key that is none.

use std::{fs, path::Path};

use chrysalis_attestation::{
    Rejection,
    bundle::Evidence,
    digest::Hex,
    nvidia::{Collateral, Question, Roots, evidence, ocsp::OcspAnswer, verify},
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
pub(crate) fn outcome(ask: Ask, folder: &Path, request: &Value, expected: &Value) -> Value {
    match ask(folder, request) {
        Ok(()) => json!({"verdict": "trusted", "code": null, "claims": expected["claims"]}),
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

pub(crate) fn nvidia(folder: &Path, request: &Value) -> Result<(), Rejection> {
    let text = request["policy"].as_str().map(|_| policy(folder, request));
    let roots = text
        .as_ref()
        .map(|text| Policy::parse_simulation(text).expect("a policy"));
    let roots = match roots.as_deref() {
        Some([devices, manifests]) => Roots::nvidia().and_simulated(*devices, *manifests),
        _ => Roots::nvidia(),
    };
    let mut policy = match &text {
        Some(text) => Policy::parse_gpu(text).expect("a policy"),
        None => chrysalis_attestation::nvidia::GpuPolicy {
            proof: chrysalis_attestation::nvidia::policy::Proof::complete(),
            wanted: chrysalis_attestation::nvidia::policy::Wanted::any("x"),
        },
    };
    if !request["without"].is_null() {
        policy.proof.revocation = chrysalis_attestation::nvidia::policy::Revocation::Unchecked {
            why: "x".to_owned(),
        };
    }
    let nonce = |key: &str| -> Option<[u8; 32]> {
        let bytes = hex::decode(request[key].as_str()?).expect("hex");
        bytes.try_into().ok()
    };
    let asked = nonce("ocsp_nonce");
    let list = |key: &str| {
        if request[key].is_null() {
            Vec::new()
        } else {
            files(folder, &request[key])
        }
    };
    let answer = |der| OcspAnswer { der, nonce: asked };
    let collateral = Collateral {
        rims: list("rim"),
        ocsp: list("ocsp").into_iter().map(answer).collect(),
    };
    let chain = request["chain"]
        .as_str()
        .map(|_| file(folder, &request["chain"]));
    let gpus = evidence::read(&file(folder, &request["report"]), chain.as_deref())?;
    let question = Question {
        nonce: &nonce("nonce").expect("a nonce"),
        roots: &roots,
        collateral: &collateral,
        policy: &policy,
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
        .fold(tdx::Roots::intel(), tdx::Roots::and_simulated);
    let mut policy = Policy::parse_tdx(&text).expect("a policy");
    let asked: Hex<64> = serde_json::from_value(request["report_data"].clone()).expect("hex");
    policy.report_data = chrysalis_attestation::policy::Expect::AnyOf(vec![asked.0]);
    let collateral = tdx::Collateral::parse(&file(folder, &request["collateral"]))?;
    let question = tdx::Question {
        roots: &roots,
        collateral: &collateral,
        event_log: Some(&file(folder, &request["event_log"])),
        policy: &policy,
        now: NOW,
    };
    let quote = file(folder, &request["quote"]);
    tdx::verify(&quote, &question)
        .map(drop)
        .map_err(|it| it.rejection)
}
