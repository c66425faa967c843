//! Bundles as an enclave sends them, with the conversation that the relying party had.

use chrysalis_attestation::{
    evidence::{
        Evidence, MAX_BUNDLE,
        binding::{Anchor, Session},
        claims::Claims,
    },
    release::PublicKey,
};
use chrysalis_simulate::{
    Curve, Profile, Signer,
    nvidia::{DRIVER, VBIOS},
};
use chrysalis_tests::{
    composite::{self, Machine, NVIDIA, SESSION, SPKI, Vendor},
    scene::{LAUNCH_DIGEST, Scene, claims},
};
use serde_json::{Value, json};

use super::{AMD, NOW, snp};
use crate::{
    vector::{Common, Vector},
    wishes::{OPEN, Wishes},
};

const KIND: &str = "bundle";
/// The extension that carries evidence.
const ID_PE_CMW: &str = "1.3.6.1.5.5.7.1.35";

type Lie = (&'static str, &'static str, fn(&mut Scene<'static>));
type Attack = (
    &'static str,
    &'static str,
    Vendor,
    fn(&mut Machine<'static>),
);

/// About a machine without GPUs.
#[rustfmt::skip]
const LIES: &[Lie] = &[
    ("bundle_malformed", "the length of the outermost map takes two bytes where one would do", |it| {
        it.alter_bytes = |bytes| drop(bytes.splice(..1, [0xB8, bytes[0] & 0x1F]));
    }),
    ("bundle_malformed trailing", "a byte follows the bundle", |it| it.alter_bytes = |bytes| bytes.push(0)),
    ("bundle_item", "the CPU's report has another name", |it| it.alter_bytes = |bytes| {
        let place = bytes.windows(3).position(|it| it == b"cpu").expect("an item");
        bytes[place + 2] = b'v';
    }),
    ("bundle_item too-many-certificates", "there are 17 certificates", |it| {
        let vcek = it.endorsements.certificates[0].clone();
        it.endorsements.certificates = vec![vcek; 17];
    }),
    ("certificate_malformed in-a-bundle", "a certificate is no DER", |it| it.endorsements.certificates.push(b"not DER".to_vec())),
    ("claims_malformed", "the claims are no CBOR", |it| it.claims = b"trust me".to_vec()),
    ("claims_profile", "the claims follow a newer profile", |it| {
        it.claims = Claims { profile: "tag:chrysalis,2026:enclave/2".to_owned(), ..claims() }.encode();
    }),
    ("not_fresh", "the evidence was made at boot", |it| it.attested.0 = Session::Boot),
    ("binding_mismatch of-another-key", "the evidence is about another TLS key", |it| it.attested.1 = b"another SubjectPublicKeyInfo".to_vec()),
    ("binding_mismatch of-another-nonce", "the evidence answers another nonce", |it| it.attested.0 = Session::Asked { nonce: [0; 32], exporter: [0xE4; 32] }),
    ("binding_mismatch of-another-session", "the evidence is about another TLS session", |it| it.attested.0 = Session::Asked { nonce: [0x4E; 32], exporter: [0; 32] }),
    ("binding_mismatch of-other-claims", "the claims were altered", |it| it.alter = |evidence| {
        evidence.claims = Claims { model: "a better one".to_owned(), ..claims() }.encode();
    }),
    ("binding_mismatch by-an-added-gpu", "evidence of a GPU was added", |it| it.alter = |evidence| evidence.gpus = vec![NVIDIA.gpu(0).evidence(&[0; 32])]),
    ("configuration_mismatch", "the claimed configuration is not the one in the report", |it| it.report.host_data = [0; 32]),
    ("known_answer_failed", "the model did not give the known answer", |it| it.claims = Claims { known_answer: false, ..claims() }.encode()),
    ("gpu_unexpected", "there is a GPU, and the policy wants none", |it| {
        let nonce = Anchor::new(&SESSION, SPKI, &it.claims).gpu_nonce();
        it.gpus = vec![NVIDIA.gpu(0).evidence(&nonce)];
    }),
    ("revocation_unchecked in-a-bundle", "there is no revocation list", |it| it.endorsements.crls.clear()),
];

/// On a machine with GPUs: docs/spec/binding.md.
#[rustfmt::skip]
const ATTACKS: &[Attack] = &[
    ("tdx_collateral_missing", "there is nothing of Intel's about the platform", Vendor::Intel, |it| it.endorsements.tdx.clear()),
    ("binding_mismatch by-a-spliced-gpu", "the GPU's evidence is of another machine", Vendor::Amd, |it| {
        it.alter = |evidence| evidence.gpus = vec![NVIDIA.gpu(1).evidence(&[7; 32])];
    }),
    ("binding_mismatch by-a-dropped-gpu", "the GPU's evidence is gone", Vendor::Intel, |it| it.alter = |evidence| evidence.gpus.clear()),
    ("binding_mismatch by-a-doubled-gpu", "the GPU's evidence is there twice", Vendor::Amd, |it| {
        it.alter = |evidence| evidence.gpus.push(evidence.gpus[0].clone());
    }),
    ("gpu_nonce_mismatch in-a-bundle", "the GPU answered another conversation, though the CPU signed it", Vendor::Amd, |it| {
        it.before_signing = |gpus| gpus[0] = NVIDIA.gpu(0).evidence(&[7; 32]);
    }),
    ("gpu_count_mismatch in-a-bundle", "the enclave left the GPU out", Vendor::Intel, |it| it.before_signing = Vec::clear),
    ("gpu_twice in-a-bundle", "a GPU stands for two, though the CPU signed it", Vendor::Amd, |it| it.before_signing = |gpus| gpus.push(gpus[0].clone())),
    ("measurement_mismatch in-a-bundle", "the GPU is in developer mode", Vendor::Amd, |it| {
        it.gpu = |gpu| _ = gpu.measurements.insert(2, [0xDE; 48]);
    }),
    ("td_debug in-a-bundle", "the host may debug the TD", Vendor::Intel, |it| it.td.attributes |= 1),
];

fn machine(vendor: Vendor) -> Machine<'static> {
    Machine::honest(&AMD, vendor)
}

/// A certificate of the enclave's own key that carries what it says at boot, about this key or another, so many times.
fn certificate(attested: Option<&[u8]>, times: usize) -> Vec<u8> {
    let issue = |extensions| {
        let profile = Profile {
            extensions,
            ..Profile::root("Chrysalis enclave")
        };
        Signer::root(Curve::P256, &[0xE1; 32], profile)
    };
    let point = issue(Vec::new()).point();
    let key = PublicKey::from_p256(point.try_into().expect("65 bytes")).expect("a key");
    let mut scene = Scene::honest(&AMD);
    let spki = attested.map_or_else(|| key.spki(), <[u8]>::to_vec);
    scene.attested = (Session::Boot, spki);
    let evidence = Evidence::decode(&scene.bundle()).expect("a bundle");
    issue(vec![(ID_PE_CMW, evidence.certificate_extension()); times]).der
}

fn certificates() -> Vec<Vector> {
    let mut patient = snp::wishes();
    patient.set("session", "freshness", OPEN);
    let carrying = |vector: Vector, certificate, wishes: &Wishes| {
        vector
            .file("certificate", "certificate.der", certificate)
            .file("policy", "policy.toml", wishes.text())
    };
    let carried = |vector: Vector, attested, wishes: &Wishes| {
        carrying(vector, certificate(attested, 1), wishes)
    };
    let claims = json!({"measurement": hex::encode(LAUNCH_DIGEST), "model": "smollm2"});
    let shows =
        "the evidence is in the enclave's certificate, and the policy does not mind its age";
    let accepted = Vector::accepted(KIND, "certificate", shows, NOW, ("trusted", claims));
    let shows = "the evidence in a certificate was made at boot";
    let old = Vector::rejected(KIND, "freshness_unchecked in-a-certificate", shows, NOW);
    let shows = "the evidence in a certificate is about another key";
    let other = Vector::rejected(KIND, "binding_mismatch in-a-certificate", shows, NOW);
    let shows = "a certificate carries evidence twice";
    let twice = Vector::rejected(KIND, "bundle_malformed twice-in-a-certificate", shows, NOW);
    vec![
        carrying(twice, certificate(None, 2), &patient),
        carried(accepted, None, &patient),
        carried(old, None, &snp::wishes()),
        carried(other, Some(SPKI), &patient),
    ]
}

/// The conversation, as the relying party had it.
fn conversation(vector: Vector, bundle: Vec<u8>) -> Vector {
    let Session::Asked { nonce, exporter } = SESSION else {
        unreachable!("the session is one that was asked in")
    };
    vector
        .file("bundle", "bundle.cbor", bundle)
        .with("spki", hex::encode(SPKI))
        .with("nonce", hex::encode(nonce))
        .with("exporter", hex::encode(exporter))
}

fn alone(vector: Vector, bundle: Vec<u8>) -> Vector {
    conversation(vector, bundle).file("policy", "policy.toml", snp::wishes().text())
}

fn composite(vector: Vector, bundle: Vec<u8>) -> Vector {
    let policy = composite::policy_text(&composite::roots(&AMD));
    conversation(vector, bundle).file("policy", "policy.toml", policy)
}

pub(super) fn vectors(common: &mut Common) -> Vec<Vector> {
    let policy = composite::policy_text(&composite::roots(&AMD));
    common.insert("bundle/policy.toml".to_owned(), policy.into());
    common.insert("bundle/snp.cbor".to_owned(), Scene::honest(&AMD).bundle());
    let mut vectors = accepted();
    for (code, shows, lie) in LIES {
        let mut scene = Scene::honest(&AMD);
        lie(&mut scene);
        let vector = Vector::rejected(KIND, code, shows, NOW);
        vectors.push(alone(vector, scene.bundle()));
    }
    for (code, shows, vendor, attack) in ATTACKS {
        let mut machine = machine(*vendor);
        attack(&mut machine);
        let vector = Vector::rejected(KIND, code, shows, NOW);
        vectors.push(composite(vector, machine.bundle()));
    }
    let shows = "the bundle has a byte too many";
    let vector = Vector::rejected(KIND, "bundle_too_large", shows, NOW);
    let large = alone(vector, Vec::new());
    vectors.push(large.zeros("bundle", MAX_BUNDLE as u64 + 1));
    let shows = "nobody says which conversation the bundle is about";
    let bare = Vector::rejected(KIND, "conversation_missing", shows, NOW)
        .file("bundle", "bundle.cbor", Scene::honest(&AMD).bundle())
        .file("policy", "policy.toml", snp::wishes().text());
    vectors.push(bare);
    vectors.extend(certificates());
    let shows = "the certificate carries no evidence";
    let vector = Vector::rejected(KIND, "evidence_missing", shows, NOW);
    let vcek = AMD.endorsements().certificates.swap_remove(0);
    let vector = vector.file("certificate", "vcek.der", vcek);
    vectors.push(vector.file("policy", "policy.toml", snp::wishes().text()));
    vectors
}

fn accepted() -> Vec<Vector> {
    let of_snp = |gpus: Value| {
        json!({
            "measurement": hex::encode(LAUNCH_DIGEST), "model": "smollm2", "gpus": gpus,
            "cpu": {"platform": "snp", "status": "not_revoked"},
        })
    };
    let h100 =
        || json!([{"driver": DRIVER, "vbios": VBIOS, "architecture": "hopper", "on_hold": false}]);
    let of_tdx = json!({
        "measurement": hex::encode(composite::MRTD), "gpus": h100(),
        "cpu": {"platform": "tdx", "status": "UpToDate"},
    });
    let accepted =
        |name, shows, claims| Vector::accepted(KIND, name, shows, NOW, ("trusted", claims));
    let snp = accepted("snp", "a machine of AMD's, without GPUs", of_snp(json!([])));
    let snp_h100 = accepted(
        "snp-h100",
        "a machine of AMD's with an H100",
        of_snp(h100()),
    );
    let tdx_h100 = accepted("tdx-h100", "a machine of Intel's with an H100", of_tdx);
    vec![
        alone(snp, Scene::honest(&AMD).bundle()),
        composite(snp_h100, machine(Vendor::Amd).bundle()),
        composite(tdx_h100, machine(Vendor::Intel).bundle()),
    ]
}
