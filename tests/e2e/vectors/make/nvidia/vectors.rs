//! Each lie of [`LIES`], and what is accepted.

use chrysalis_attestation::nvidia::GpuEvidence;
use chrysalis_simulate::nvidia::{CertificateStatus, DRIVER, VBIOS, opaque};
use serde_json::json;

use super::{
    DAY, KIND, LAST_MONTH, NONCE, Scene, answers, collection, lies::LIES, sdk_json, wishes,
};
use crate::{
    make::{NOW, pem},
    vector::{Common, Vector},
    wishes::OPEN,
};

pub(in crate::make) fn vectors(common: &mut Common) -> Vec<Vector> {
    let honest = Scene::honest();
    let evidence = honest.evidence();
    let mut share =
        |name: &str, bytes: Vec<u8>| drop(common.insert(format!("nvidia/{name}"), bytes));
    share("report.bin", evidence.report.clone());
    share("chain.pem", pem(&evidence.chain).into());
    for (name, manifest) in ["driver.xml", "vbios.xml"].iter().zip(&honest.manifests) {
        share(name, manifest.clone());
    }
    let known = [
        "identity",
        "provisioner",
        "family",
        "rim-signer",
        "rim-intermediate",
        "rim-authority",
    ];
    for (name, answer) in known.iter().zip(&honest.answers) {
        share(&format!("ocsp-{name}.der"), answer.encode());
    }
    let mut switches = Scene::honest();
    switches.fabric(2, |_| ());
    share("switch.xml", switches.manifests.remove(2));
    let of_the_fabric = ["gpu", "first-switch", "switch-provisioner", "second-switch"];
    let mut pending = of_the_fabric.iter();
    for answer in &switches.answers {
        let der = answer.encode();
        if honest.answers.iter().all(|known| known.encode() != der) {
            let name = pending.next().expect("a name");
            share(&format!("ocsp-fabric-{name}.der"), der);
        }
    }
    share("policy.toml", wishes(&honest.nvidia).text().into());

    let mut vectors = accepted();
    for (code, shows, lie) in LIES {
        let mut scene = Scene::honest();
        lie(&mut scene);
        vectors.push(scene.complete(Vector::rejected(KIND, code, shows, NOW)));
    }
    for (code, shows, key, zeros) in [
        (
            "gpu_evidence_too_large",
            "the evidence has a byte too many",
            "report",
            512 * 1024 + 1,
        ),
        (
            "rim_too_large",
            "a manifest has a byte too many",
            "rim",
            64 * 1024 + 1,
        ),
    ] {
        let vector = Scene::honest().complete(Vector::rejected(KIND, code, shows, NOW));
        vectors.push(vector.zeros(key, zeros));
    }
    vectors
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn accepted() -> Vec<Vector> {
    let gpu = json!({
        "nonce": hex::encode(NONCE), "driver": DRIVER, "vbios": VBIOS, "on_hold": false,
        "model": "GH100 A01 GSP BROM",
    });
    let claims = json!({"gpus": [gpu]});
    let accepted = |name, shows, claims, scene: Scene| {
        scene.complete(Vector::accepted(
            KIND,
            name,
            shows,
            NOW,
            ("trusted", claims),
        ))
    };
    let mut two = Scene::honest();
    two.want("count", "[2]");
    two.others = vec![two.nvidia.gpu(1).evidence(&NONCE)];
    two.answers = answers(&two.nvidia.clone().with_gpus(2));
    let mut switches = Scene::honest();
    switches.fabric(2, |_| ());
    let mut held = Scene::honest();
    held.want("hold", OPEN);
    held.answers[0].status = CertificateStatus::Revoked {
        since: LAST_MONTH,
        reason: 6,
    };
    let mut outshone = held.clone();
    outshone.answers.push(Scene::honest().answers.remove(0));
    let mut aged = Scene::honest();
    aged.made(-DAY);
    let mut unsaid = Scene::honest();
    unsaid.unwant("revocation");
    let mut decoder = Scene::honest();
    decoder.gpu.opaque.insert(opaque::NVDEC0_STATUS, vec![0x55]);
    decoder.gpu.measurements.insert(35, [0xDE; 48]);
    let mut versioned = Scene::honest();
    versioned.versioned();
    let mut nuls = Scene::honest();
    nuls.chain_end = "\0\0\0\0\0";
    let form = |write: fn(&GpuEvidence) -> String| {
        let mut scene = Scene::honest();
        scene.instead = Some(write(&scene.evidence()).into_bytes());
        scene
    };
    let mut bare = Scene::honest();
    bare.answers.clear();
    bare.without = vec!["ocsp"];
    vec![
        accepted("honest", "nobody lies", claims.clone(), Scene::honest()),
        accepted(
            "two-gpus",
            "two GPUs of one machine",
            json!({"gpus": [gpu, gpu]}),
            two,
        ),
        accepted(
            "switches",
            "a GPU and the two switches that it shares its memory over",
            claims.clone(),
            switches,
        ),
        accepted(
            "hold-accepted",
            "a certificate is on hold, which the policy accepts",
            json!({"gpus": [{"on_hold": true}]}),
            held,
        ),
        accepted(
            "hold-beside-good",
            "of two answers about a certificate the later one does not say that it is on hold",
            json!({"gpus": [{"on_hold": true}]}),
            outshone,
        ),
        accepted(
            "a-day-old",
            "an answer that was brought along is exactly a day old",
            claims.clone(),
            aged,
        ),
        accepted(
            "revocation-unsaid",
            "the policy is silent on revocation: answers of the last day count",
            claims.clone(),
            unsaid,
        ),
        accepted(
            "decoder-off",
            "the decoder is off, so its index does not count",
            claims.clone(),
            decoder,
        ),
        accepted(
            "versioned-opaque-data",
            "a driver of CUDA 13.5 tells a level, which the driver's manifest wants",
            claims.clone(),
            versioned,
        ),
        accepted(
            "chain-nuls",
            "NULs lie behind the text of the chain, as NVML leaves them",
            claims.clone(),
            nuls,
        ),
        accepted(
            "service-request",
            "the evidence is a request to NVIDIA's attestation service",
            claims.clone(),
            form(|gpu| {
                format!(
                    "{{\"nonce\":\"00\",\"arch\":\"HOPPER\",\"evidence_list\":{}}}\n",
                    sdk_json(std::slice::from_ref(gpu)).trim()
                )
            }),
        ),
        accepted(
            "evidences",
            "the evidence stands under `evidences`",
            claims.clone(),
            form(|gpu| {
                format!(
                    "{{\"evidences\":{}}}\n",
                    sdk_json(std::slice::from_ref(gpu)).trim()
                )
            }),
        ),
        accepted(
            "collection",
            "the evidence is NVIDIA's CMW collection",
            claims.clone(),
            form(collection),
        ),
        accepted(
            "without-ocsp",
            "nobody asked whether a certificate is revoked",
            claims.clone(),
            bare,
        ),
    ]
}
