//! Bundles as an enclave sends them, with the conversation that the relying party had.

use chrysalis_attestation::{
    evidence::{
        Evidence, KeyAgreement, MAX_BUNDLE,
        binding::{Anchor, Session},
        claims::{Claims, ModelClaim},
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

pub(super) const KIND: &str = "bundle";
/// The extension that carries evidence.
const ID_PE_CMW: &str = "1.3.6.1.5.5.7.1.35";

type Lie = (&'static str, &'static str, fn(&mut Scene<'static>));
type Attack = (
    &'static str,
    &'static str,
    Vendor,
    fn(&mut Machine<'static>),
);

/// Its name, what it shows, and what the enclave claims instead.
type Other = (&'static str, &'static str, fn(&mut Claims));

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
    ("claims_malformed of-two-models-with-one-name", "the claims name a model twice", |it| {
        let model = claims().models.swap_remove(0);
        it.claims = Claims { models: vec![model; 2], ..claims() }.encode();
    }),
    ("claims_malformed of-a-model-without-an-engine", "the claims of a model name an engine that is not among them", |it| {
        it.claims = Claims { engines: Vec::new(), ..claims() }.encode();
    }),
    ("claims_profile", "the claims follow a newer profile", |it| {
        it.claims = Claims { profile: "tag:chrysalis,2026:enclave/3".to_owned(), ..claims() }.encode();
    }),
    ("claims_profile of-before", "the claims follow the first profile, which had one model", |it| {
        it.claims = Claims { profile: "tag:chrysalis,2026:enclave/1".to_owned(), ..claims() }.encode();
    }),
    ("not_fresh", "the evidence was made at boot", |it| it.attested.0 = Session::Boot),
    ("binding_mismatch of-another-key", "the evidence is about another TLS key", |it| it.attested.1 = b"another SubjectPublicKeyInfo".to_vec()),
    ("binding_mismatch of-another-nonce", "the evidence answers another nonce", |it| it.attested.0 = Session::Asked { nonce: [0; 32], exporter: [0xE4; 32] }),
    ("binding_mismatch of-another-session", "the evidence is about another TLS session", |it| it.attested.0 = Session::Asked { nonce: [0x4E; 32], exporter: [0; 32] }),
    ("binding_mismatch of-a-key-server", "the evidence was made for a key server, over the same session", |it| it.attested.0 = Session::Keys { nonce: [0x4E; 32], exporter: [0xE4; 32] }),
    ("binding_mismatch of-other-claims", "the claims were altered", |it| it.alter = |evidence| {
        evidence.claims = Claims { release: "a better one".to_owned(), ..claims() }.encode();
    }),
    ("binding_mismatch by-an-added-gpu", "evidence of a GPU was added", |it| it.alter = |evidence| evidence.gpus = vec![NVIDIA.gpu(0).evidence(&[0; 32])]),
    ("configuration_mismatch", "the claimed configuration is not the one in the report", |it| it.report.host_data = [0; 32]),
    ("known_answer_failed", "the model did not give the known answer", |it| it.claims = Claims { known_answer: false, ..claims() }.encode()),
    ("epoch_old", "the enclave has not renewed its evidence for two epochs and a second", |it| it.claims = Claims { epoch_began: NOW.0 - 1201, ..claims() }.encode()),
    ("epoch_old by-another-clock", "the epoch begins in two epochs and a second, by the enclave's clock", |it| it.claims = Claims { epoch_began: NOW.0 + 1201, ..claims() }.encode()),
    ("gpu_unexpected", "there is a GPU, and the policy wants none", |it| {
        let nonce = Anchor::new(&SESSION, SPKI, &it.claims).gpu_nonce();
        it.gpus = vec![NVIDIA.gpu(0).evidence(&nonce)];
    }),
    ("revocation_unchecked in-a-bundle", "there is no revocation list", |it| it.endorsements.crls.clear()),
];

/// Of an enclave that serves something other than the policy lists: [`pinned`].
#[rustfmt::skip]
const OTHER_MODELS: &[Other] = &[
    ("model_unlisted", "the enclave serves a model that the policy does not list", |claims| {
        let other = ModelClaim { name: "another".to_owned(), ..claims.models[0].clone() };
        claims.models.push(other);
    }),
    ("model_missing", "the enclave does not serve the model that the policy lists", |claims| claims.models.clear()),
    ("model_mismatch", "the model has other weights than the policy lists", |claims| claims.models[0].weights = [0; 32]),
    ("model_mismatch of-the-disk", "the model comes from another disk than the policy lists", |claims| claims.models[0].disk = [0; 32]),
    ("model_mismatch of-the-tokenizer", "the policy lists a tokenizer, and the enclave claims none", |claims| claims.models[0].tokenizer = None),
    ("model_mismatch of-the-template", "the model has another chat template than the policy lists", |claims| claims.models[0].template = Some([0; 32])),
    ("model_mismatch of-the-kind", "the model is for something else than the policy lists", |claims| "rerank".clone_into(&mut claims.models[0].kind)),
    ("model_mismatch of-the-engine", "another engine runs the model than the policy lists", |claims| claims.engines[0].disk = [0; 32]),
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

/// What a certificate's extensions hold, of the value that an honest one holds.
type Carry = fn(Vec<u8>) -> Vec<Vec<u8>>;

/// A certificate of the enclave's own key that carries what it says at boot, about this key or another.
fn certificate(attested: Option<&[u8]>, carry: Carry) -> Vec<u8> {
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
    let values = carry(evidence.certificate_extension()).into_iter();
    issue(values.map(|value| (ID_PE_CMW, value)).collect()).der
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
        carrying(vector, certificate(attested, |value| vec![value]), wishes)
    };
    let claims = json!({"measurement": hex::encode(LAUNCH_DIGEST), "models": [{"name": "smollm2", "kind": "chat"}]});
    let shows =
        "the evidence is in the enclave's certificate, and the policy does not mind its age";
    let accepted = Vector::accepted(KIND, "certificate", shows, NOW, ("trusted", claims));
    let shows = "the evidence in a certificate was made at boot";
    let old = Vector::rejected(KIND, "freshness_unchecked in-a-certificate", shows, NOW);
    let shows = "the evidence in a certificate is about another key";
    let other = Vector::rejected(KIND, "binding_mismatch in-a-certificate", shows, NOW);
    let shows = "a certificate carries evidence twice";
    let twice = Vector::rejected(KIND, "bundle_malformed twice-in-a-certificate", shows, NOW);
    let shows = "a byte follows the evidence in a certificate's extension";
    let code = "bundle_malformed trailing-in-a-certificate";
    let trailing = Vector::rejected(KIND, code, shows, NOW);
    let carry_twice: Carry = |value| vec![value.clone(), value];
    let carry_more: Carry = |value| vec![[value, vec![0]].concat()];
    vec![
        carrying(twice, certificate(None, carry_twice), &patient),
        carrying(trailing, certificate(None, carry_more), &patient),
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

/// A policy that wants a post-quantum key agreement, and what the relying party saw.
fn agreements() -> Vec<Vector> {
    let mut lasting = snp::wishes();
    lasting.set("session", "key_agreement", "\"post-quantum\"");
    let seen = |vector: Vector, agreement: Option<KeyAgreement>| {
        let bundle = Scene::honest(&AMD).bundle();
        let vector = conversation(vector, bundle).file("policy", "policy.toml", lasting.text());
        match agreement {
            Some(agreement) => vector.with("agreement", agreement.name()),
            None => vector,
        }
    };
    let shows = "the keys of the connection were agreed by X25519 alone";
    let weak = Vector::rejected(KIND, "key_agreement_weak", shows, NOW);
    let shows = "nothing says how the keys of the connection were agreed";
    let unknown = Vector::rejected(KIND, "key_agreement_weak of-an-unknown-one", shows, NOW);
    let shows = "the keys of the connection were agreed by X25519 and ML-KEM-768";
    let claims = json!({"measurement": hex::encode(LAUNCH_DIGEST)});
    let lasts = Vector::accepted(KIND, "post-quantum", shows, NOW, ("trusted", claims));
    vec![
        seen(weak, Some(KeyAgreement::X25519)),
        seen(unknown, None),
        seen(lasts, Some(KeyAgreement::X25519MlKem768)),
    ]
}

pub(super) fn alone(vector: Vector, bundle: Vec<u8>) -> Vector {
    conversation(vector, bundle).file("policy", "policy.toml", snp::wishes().text())
}

/// The policy that lists the honest enclave's one model by all that can be told of it.
fn pinned() -> Wishes {
    let Claims {
        engines, models, ..
    } = claims();
    let (model, engine) = (&models[0], &engines[0]);
    let quoted = |text: &str| format!("\"{text}\"");
    let digest = |digest: [u8; 32]| quoted(&hex::encode(digest));
    let mut wishes = snp::wishes();
    for (key, value) in [
        ("name", quoted(&model.name)),
        ("kind", quoted(&model.kind)),
        ("weights", digest(model.weights)),
        ("disk", digest(model.disk)),
        ("tokenizer", digest(model.tokenizer.expect("a digest"))),
        ("template", digest(model.template.expect("a digest"))),
        ("engine_disk", digest(engine.disk)),
    ] {
        wishes.set("[model]", key, value);
    }
    wishes
}

/// About an enclave with these claims, by the policy of [`pinned`] with a line at its top.
fn listing(vector: Vector, claims: &Claims, top: &str) -> Vector {
    let mut scene = Scene::honest(&AMD);
    scene.claims = claims.encode();
    let policy = pinned().text();
    let policy = policy.replacen("version = 1\n", &format!("version = 1\n{top}"), 1);
    conversation(vector, scene.bundle()).file("policy", "policy.toml", policy)
}

fn models() -> Vec<Vector> {
    let of = |change: fn(&mut Claims)| {
        let mut claims = claims();
        change(&mut claims);
        claims
    };
    let mut vectors = Vec::new();
    for (code, shows, change) in OTHER_MODELS {
        let vector = Vector::rejected(KIND, code, shows, NOW);
        vectors.push(listing(vector, &of(*change), ""));
    }
    let told = |names: &[&str]| {
        let models = names.iter().map(|name| json!({ "name": name }));
        json!({ "models": models.collect::<Vec<_>>() })
    };
    let shows = "the policy lists the enclave's model";
    let claimed = ("trusted", told(&["smollm2"]));
    let listed = Vector::accepted(KIND, "models", shows, NOW, claimed);
    vectors.push(listing(listed, &claims(), ""));
    let shows = "the policy gives a reason to accept models that it does not list";
    let claimed = ("trusted", told(&["smollm2", "another"]));
    let waived = Vector::accepted(KIND, "models-and-others", shows, NOW, claimed);
    let (_, _, with_another) = OTHER_MODELS[0];
    let reason = "other_models = \"this vector is about them\"\n";
    vectors.push(listing(waived, &of(with_another), reason));
    vectors
}

pub(super) fn composite(vector: Vector, bundle: Vec<u8>) -> Vector {
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
    let shows = "nobody says which conversation the bundle is about, and a reason for it does not count where there is a policy";
    let code = "conversation_missing whatever-the-reason";
    let excused = Vector::rejected(KIND, code, shows, NOW)
        .file("bundle", "bundle.cbor", Scene::honest(&AMD).bundle())
        .file("policy", "policy.toml", snp::wishes().text())
        .with("without", json!(["session"]));
    vectors.push(excused);
    vectors.extend(models());
    vectors.extend(certificates());
    vectors.extend(agreements());
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
            "measurement": hex::encode(LAUNCH_DIGEST), "models": [{"name": "smollm2", "kind": "chat"}], "gpus": gpus,
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
