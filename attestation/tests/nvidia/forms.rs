//! The ways in which people keep evidence of GPUs: whatever the form, the same GPU comes out.

use chrysalis_attestation::{
    Rejection,
    encoding::pem,
    nvidia::{
        GpuEvidence,
        evidence::{Form, MAX_GPUS, read, read_chain},
    },
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use super::scene::{NONCE, Scene};

fn gpu() -> GpuEvidence {
    Scene::new().gpu.evidence(&NONCE)
}

fn chain(gpu: &GpuEvidence) -> String {
    gpu.chain
        .iter()
        .map(|der| pem::block(pem::CERTIFICATE, der))
        .collect()
}

fn element(gpu: &GpuEvidence, chain: &[u8]) -> Value {
    json!({
        "arch": "HOPPER",
        "nonce": "00",
        "certificate": BASE64.encode(chain),
        "evidence": BASE64.encode(&gpu.report),
    })
}

fn item(gpu: &GpuEvidence) -> Value {
    json!({
        "__cmwc_t": "tag:nvidia.com,2026:evidence-item/v1",
        "evidence": ["application/vnd.nvidia.spdm-measurement-transcript", BASE64URL_NOPAD.encode(&gpu.report)],
        "certificate": ["application/vnd.nvidia.pem-cert-chain", BASE64URL_NOPAD.encode(chain(gpu).as_bytes())],
        "nonce": ["application/octet-stream", BASE64URL_NOPAD.encode(&NONCE)],
        "hints": ["application/json", "e30"],
    })
}

fn collection(items: &[(&str, Value)]) -> Value {
    let mut whole = json!({
        "__cmwc_t": "tag:nvidia.com,2026:verifier-input/profiles/base/pre-1.0.0",
        "nonce": ["application/octet-stream", "AA"],
    });
    for (label, item) in items {
        whole[label] = item.clone();
    }
    whole
}

fn taken(json: &Value) -> Result<Vec<GpuEvidence>, Rejection> {
    read(json.to_string().as_bytes(), None)
}

#[test]
fn every_form_gives_the_same_gpus() {
    let gpu = gpu();
    let one = element(&gpu, chain(&gpu).as_bytes());
    let double = element(&gpu, BASE64.encode(chain(&gpu).as_bytes()).as_bytes());
    let hex_and_pem = json!({"certificate": chain(&gpu), "evidence": hex::encode(&gpu.report)});
    let both = [gpu.clone(), gpu.clone()];
    for (json, form, gpus) in [
        (json!([one, one]), Form::Sdk, &both[..]),
        (one.clone(), Form::Sdk, &both[..1]),
        (double, Form::Sdk, &both[..1]),
        (hex_and_pem, Form::Sdk, &both[..1]),
        (
            json!({"nonce": "00", "arch": "HOPPER", "evidence_list": [one, one]}),
            Form::ServiceRequest,
            &both[..],
        ),
        (json!({"evidences": [one]}), Form::Evidences, &both[..1]),
        (
            collection(&[("gpu_0", item(&gpu)), ("gpu_1", item(&gpu))]),
            Form::Collection,
            &both[..],
        ),
    ] {
        assert_eq!(Form::of(json.to_string().as_bytes()), Some(form), "{form}");
        assert_eq!(taken(&json).as_deref(), Ok(gpus), "{form}");
    }
}

#[test]
fn nuls_lie_behind_a_chain_and_nowhere_else() {
    let gpu = gpu();
    let text = chain(&gpu);
    for good in [
        format!("{text}\0"),
        format!("{text}\0\0\0\0\0"),
        text.replace('\n', "\r\n") + "\0",
        BASE64.encode(text.as_bytes()) + "\0",
        BASE64.encode(format!("{text}\0\0").as_bytes()),
    ] {
        assert_eq!(read_chain(good.as_bytes()).as_ref(), Ok(&gpu.chain));
        assert_eq!(
            taken(&json!([element(&gpu, good.as_bytes())])),
            Ok(vec![gpu.clone()])
        );
    }
    let between = text.replacen("-----\n-----", "-----\n\0-----", 1);
    for bad in [
        between,
        format!("\0{text}"),
        format!("{text}\0{text}"),
        format!("{text}text"),
    ] {
        let refused = read_chain(bad.as_bytes()).expect_err("something between blocks");
        assert_eq!(
            refused.to_string(),
            "the GPU evidence is malformed: its chain is not PEM"
        );
    }
}

#[test]
fn what_is_missing_twice_or_of_another_kind_is_refused() {
    let gpu = gpu();
    let one = element(&gpu, chain(&gpu).as_bytes());
    let mut without_chain = item(&gpu);
    without_chain
        .as_object_mut()
        .expect("an object")
        .remove("certificate");
    let mut of_a_cpu = item(&gpu);
    of_a_cpu["evidence"][0] = json!("application/eat+cwt");
    let mut three = item(&gpu);
    three["evidence"] = json!(["a", "b", "c"]);
    let mut padded = item(&gpu);
    padded["evidence"][1] = json!("AA==");
    for (json, why) in [
        (json!({"evidence_list": []}), "no evidence of any GPU"),
        (json!({"evidences": {}}), "`certificate` and `evidence`"),
        (
            json!({"evidences": [{"certificate": "", "evidence": 1}]}),
            "`certificate` and `evidence`",
        ),
        (
            json!({"evidence_list": vec![one.clone(); MAX_GPUS + 1]}),
            "more GPUs than a machine has",
        ),
        (
            json!({"certificate": "*", "evidence": "11e0"}),
            "a value is not base64",
        ),
        (collection(&[]), "no evidence of any GPU"),
        (collection(&[("a", without_chain)]), "has no certificates"),
        (collection(&[("a", of_a_cpu)]), "not an SPDM transcript"),
        (collection(&[("a", three)]), "media type and value"),
        (collection(&[("a", padded)]), "not base64url"),
        (collection(&[("a", json!(1))]), "media type and value"),
        (json!({"tokens": []}), "none of the forms of GPU evidence"),
        (
            json!([{"evidence": ""}]),
            "none of the forms of GPU evidence",
        ),
    ] {
        let refused = taken(&json).expect_err(why).to_string();
        assert!(refused.contains(why), "{refused}");
    }
    let twice = r#"{"__cmwc_t":"","a":{"evidence":["",""]},"a":{"evidence":["",""]}}"#;
    let refused = read(twice.as_bytes(), None)
        .expect_err("a label twice")
        .to_string();
    assert!(refused.contains("a label appears twice"), "{refused}");
    let twice = r#"{"evidence_list":[],"evidence_list":[]}"#;
    assert_eq!(Form::of(twice.as_bytes()), None);
}
