//! Reports of a simulated NVIDIA's GPUs, beside manifests and OCSP answers.

mod lies;
mod vectors;

use std::sync::LazyLock;

use chrysalis_attestation::{Time, encoding::digest::sha256, nvidia::GpuEvidence};
use chrysalis_simulate::{
    Nvidia, Purpose,
    nvidia::{Answer, DRIVER, Gpu, Manifest, opaque},
};
use serde_json::json;

pub(super) use vectors::vectors;

use super::{NOW, pem};
use crate::{vector::Vector, wishes::Wishes};

const KIND: &str = "nvidia";
const NONCE: [u8; 32] = [0x42; 32];
/// Of an SPDM 1.1 report: the request, and what precedes the measurements in the response.
const REQUEST: usize = 37;
const RESPONSE_HEAD: usize = 8;
const SIGNATURE: usize = 96;
/// Seconds.
const DAY: i64 = 24 * 3600;
/// 2026-11-01 00:00 UTC
const LAST_MONTH: Time = Time(1_793_491_200);

static HONEST: LazyLock<Scene> = LazyLock::new(|| Scene::seeded(0xC1));

/// A GPU and everything it is checked against. Honest until one thing is changed.
#[derive(Clone)]
struct Scene {
    nvidia: Nvidia,
    gpu: Gpu,
    /// What it was asked.
    nonce: [u8; 32],
    /// Other GPUs of the machine.
    others: Vec<GpuEvidence>,
    manifests: Vec<Vec<u8>>,
    /// About the identity, the provisioner, the family; the manifests' signer, intermediate, authority.
    answers: Vec<Answer>,
    wishes: Option<Wishes>,
    without: Vec<&'static str>,
    /// What somebody does to the evidence.
    alter: fn(&mut GpuEvidence, &Gpu),
    /// What stands in the place of the evidence.
    instead: Option<Vec<u8>>,
    /// What lies behind the chain's text.
    chain_end: &'static str,
    /// What stands in the place of a manifest or an answer.
    junk: Option<(&'static str, Vec<u8>)>,
    /// What an OCSP answer was asked with.
    ocsp_nonce: Option<[u8; 32]>,
}

type Lie = (&'static str, &'static str, fn(&mut Scene));

impl Scene {
    fn honest() -> Self {
        HONEST.clone()
    }

    fn seeded(seed: u8) -> Self {
        let nvidia = Nvidia::from_seed(&[seed; 32], NOW);
        Self {
            gpu: nvidia.gpu(0),
            nonce: NONCE,
            others: Vec::new(),
            manifests: nvidia.rims(),
            answers: answers(&nvidia),
            wishes: Some(wishes(&nvidia)),
            without: Vec::new(),
            alter: |_, _| (),
            instead: None,
            chain_end: "",
            junk: None,
            ocsp_nonce: None,
            nvidia,
        }
    }

    fn want(&mut self, key: &str, value: &str) {
        let wishes = self.wishes.as_mut().expect("wishes");
        wishes.set("gpu", key, value);
    }

    fn unwant(&mut self, key: &str) {
        let wishes = self.wishes.as_mut().expect("wishes");
        wishes.unset("gpu", key);
    }

    /// Has the verifier do without manifests, so that nothing but the report tells what the GPU says.
    fn without_manifests(&mut self, change: impl FnOnce(&mut Gpu)) {
        change(&mut self.gpu);
        self.manifests.clear();
        self.without = vec!["rim"];
    }

    /// Has the device's identity certified for something else, and answers about it.
    fn identity(&mut self, purpose: Purpose) {
        self.gpu
            .reissue_identity(|identity| identity.purpose = purpose);
        self.answers = self
            .nvidia
            .answers_about(std::slice::from_ref(&self.gpu), NOW, None);
    }

    /// Has the first answer know what it says since so many seconds, and be valid for a week.
    fn made(&mut self, seconds: i64) {
        self.answers[0].this_update = Time(NOW.0 + seconds);
        self.answers[0].next_update = Some(Time(NOW.0 + 7 * DAY));
    }

    /// Issues a manifest anew.
    fn manifest(&mut self, place: usize, change: impl FnOnce(&mut Manifest)) {
        let mut manifest = [Manifest::driver(), Manifest::vbios()][place].clone();
        change(&mut manifest);
        self.manifests[place] = self.nvidia.sign_manifest(&manifest.document());
    }

    /// A driver of CUDA 13.5, and its manifest, which wants a level.
    fn versioned(&mut self) {
        self.gpu = self.gpu.clone().with_versioned_data();
        self.manifest(0, |manifest| {
            manifest.floors = [(opaque::FSP_UCODE_SVN, 20)].into();
        });
    }

    /// Changes the driver's manifest after it was signed.
    fn rewrite(&mut self, change: impl FnOnce(&str) -> String) {
        let text = str::from_utf8(&self.manifests[0]).expect("text");
        let changed = change(text);
        assert_ne!(changed, text, "nothing was changed");
        self.manifests[0] = changed.into_bytes();
    }

    /// One GPU that shares its memory over so many switches, and all that NVIDIA says of them.
    fn fabric(&mut self, switches: u64, change: impl FnOnce(&mut Vec<Gpu>)) {
        let mut devices = self.nvidia.fabric(1, switches);
        change(&mut devices);
        self.answers = self.nvidia.answers_about(&devices, NOW, None);
        self.gpu = devices.remove(0);
        self.others = devices.iter().map(|it| it.evidence(&NONCE)).collect();
        let manifest = Manifest::switch().document();
        self.manifests.push(self.nvidia.sign_manifest(&manifest));
        self.want("modes", "[\"protected_pcie\"]");
    }

    fn evidence(&self) -> GpuEvidence {
        let mut evidence = self.gpu.evidence(&self.nonce);
        (self.alter)(&mut evidence, &self.gpu);
        evidence
    }

    fn complete(self, vector: Vector) -> Vector {
        let evidence = self.evidence();
        let mut vector = vector.with("nonce", hex::encode(NONCE));
        vector = match self.instead {
            Some(bytes) if matches!(bytes.first(), Some(b'[' | b'{')) => {
                vector.file("report", "evidence.json", bytes)
            }
            Some(bytes) => vector.file("report", "report.bin", bytes).file(
                "chain",
                "chain.pem",
                pem(&evidence.chain),
            ),
            None if self.others.is_empty() => vector
                .file("report", "report.bin", evidence.report)
                .file("chain", "chain.pem", pem(&evidence.chain) + self.chain_end),
            None => {
                let all = [vec![evidence], self.others].concat();
                vector.file("report", "evidence.json", sdk_json(&all))
            }
        };
        for (name, manifest) in ["driver.xml", "vbios.xml", "third.xml"]
            .iter()
            .zip(self.manifests)
        {
            vector = vector.one_of("rim", name, manifest);
        }
        if let Some((key, bytes)) = self.junk {
            vector = vector.one_of(key, "changed.der", bytes);
        }
        for (place, answer) in self.answers.iter().enumerate() {
            vector = vector.one_of("ocsp", &format!("answer-{place}.der"), answer.encode());
        }
        if !self.without.is_empty() {
            vector = vector.with("without", json!(self.without));
        }
        vector = vector.with_some("ocsp_nonce", self.ocsp_nonce.map(hex::encode));
        match self.wishes {
            Some(wishes) => vector.file("policy", "policy.toml", wishes.text()),
            None => vector,
        }
    }
}

/// Signs a report again that was changed.
fn sign(evidence: &mut GpuEvidence, gpu: &Gpu) {
    let unsigned = evidence.report.len() - SIGNATURE;
    evidence.report.truncate(unsigned);
    let signature = gpu.chain[0].sign_fixed(&evidence.report);
    evidence.report.extend(signature);
}

/// Good answers about every certificate that may be revoked, brought along.
fn answers(nvidia: &Nvidia) -> Vec<Answer> {
    let pairs = nvidia.revocable();
    let pairs = pairs.iter();
    pairs
        .map(|(subject, issuer)| Answer::good(subject, issuer, NOW, None))
        .collect()
}

/// As NVIDIA's attestation SDK keeps evidence.
fn sdk_json(gpus: &[GpuEvidence]) -> String {
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    let list: Vec<_> = gpus
        .iter()
        .map(|gpu| {
            let (certificate, evidence) = (base64(pem(&gpu.chain).as_bytes()), base64(&gpu.report));
            format!(r#"{{"certificate":"{certificate}","evidence":"{evidence}"}}"#)
        })
        .collect();
    format!("[{}]\n", list.join(",\n"))
}

/// NVIDIA's collection of conceptual messages, with one item.
fn collection(gpu: &GpuEvidence) -> String {
    let record =
        |kind: &str, value: &[u8]| json!([kind, data_encoding::BASE64URL_NOPAD.encode(value)]);
    let item = json!({
        "__cmwc_t": "tag:nvidia.com,2026:evidence-item/v1",
        "evidence": record("application/vnd.nvidia.spdm-measurement-transcript", &gpu.report),
        "certificate": record("application/vnd.nvidia.pem-cert-chain", pem(&gpu.chain).as_bytes()),
    });
    let whole = json!({
        "__cmwc_t": "tag:nvidia.com,2026:verifier-input/profiles/base/pre-1.0.0",
        "gpu_0": item,
    });
    format!("{whole}\n")
}

/// A policy for exactly the honest GPU.
fn wishes(nvidia: &Nvidia) -> Wishes {
    let mut wishes = Wishes::default();
    wishes.set("gpu", "count", "[1]");
    wishes.set("gpu", "minimum_driver", format!("\"{DRIVER}\""));
    wishes.set("gpu", "revocation", "\"stapled\"");
    let roots = [nvidia.device_root(), nvidia.rim_root()];
    wishes.simulated(&roots.map(|root| sha256(&[root])));
    wishes
}
