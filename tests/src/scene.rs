//! A relying party and the evidence it is shown: all honest, until a test makes one thing a lie.
//!
//! No network and no enclave: the simulated vendor signs what an enclave would have it sign.

use chrysalis_attestation::{
    Refusal, Time, Trusted, Unverified,
    evidence::{
        CpuReport, Endorsements, Evidence, KeyAgreement,
        binding::{Anchor, Session, host_data},
        claims::{Claims, EngineClaim, ModelClaim, PROFILE},
        encode_gpus,
    },
    nvidia::GpuEvidence,
    policy::{Policy, SnpTemplate, Template},
    snp::{floor::Floor, product::Product, report::Report, tcb::Tcb},
};
use chrysalis_simulate::{Amd, Launch, SimulateError, TCB};
use std::path::Path;

/// 2026-12-01 12:00 UTC: when every scene plays, whatever the day.
pub const NOW: Time = Time(1_796_126_400);

/// What the enclave was configured with.
pub const CONFIGURATION: &[u8] = b"model = \"smollm2\"\n";
/// What the image measures.
pub const LAUNCH_DIGEST: [u8; 48] = [0xD1; 48];

/// The simulated vendor that a build folder keeps under this name, so that no test makes keys of its own.
pub fn vendor(build_folder: &str, name: &str) -> Result<Amd, SimulateError> {
    let folder = Path::new(build_folder).join("simulated-vendors").join(name);
    Amd::open_or_create(&folder, NOW, &mut |step| println!("{step}"))
}

/// Evidence on its way from an enclave to a relying party.
pub struct Scene<'a> {
    /// Who signs the report.
    pub amd: &'a Amd,
    /// What is signed. Its report data is that of [`Self::attested`], unless a lie about the binding is wanted.
    pub report: Report,
    /// The enclave's claims, as they are signed.
    pub claims: Vec<u8>,
    /// The GPUs' evidence, as it is signed.
    pub gpus: Vec<GpuEvidence>,
    /// What travels along.
    pub endorsements: Endorsements,
    /// The conversation and the TLS key that the enclave attests.
    pub attested: (Session, Vec<u8>),
    /// The conversation and the TLS key that the relying party sees.
    pub seen: (Session, Vec<u8>),
    /// How the relying party saw its connection's keys agreed.
    pub agreement: Option<KeyAgreement>,
    /// What the relying party wants.
    pub policy: Policy,
    /// The relying party's clock.
    pub now: Time,
    /// What somebody in between does to the evidence.
    pub alter: fn(&mut Evidence),
    /// What somebody in between does to its encoding.
    pub alter_bytes: fn(&mut Vec<u8>),
}

impl<'a> Scene<'a> {
    /// Nobody lies.
    pub fn honest(amd: &'a Amd) -> Self {
        let spki = b"the enclave's SubjectPublicKeyInfo".to_vec();
        let session = Session::Asked {
            nonce: [0x4E; 32],
            exporter: [0xE4; 32],
        };
        let launch = Launch::new(LAUNCH_DIGEST, host_data(CONFIGURATION), [0x1D; 32]);
        Self {
            report: amd.report(&launch, [0; 64]),
            claims: claims().encode(),
            gpus: Vec::new(),
            endorsements: amd.endorsements(),
            attested: (session.clone(), spki.clone()),
            seen: (session, spki),
            agreement: Some(KeyAgreement::X25519MlKem768),
            policy: policy(Some(amd.root_sha256())),
            now: NOW,
            alter: |_| (),
            alter_bytes: |_| (),
            amd,
        }
    }

    /// The bundle as the relying party receives it.
    pub fn bundle(&self) -> Vec<u8> {
        let (session, spki) = &self.attested;
        let report_data =
            Anchor::new(session, spki, &self.claims).report_data(&encode_gpus(&self.gpus));
        let report = Report {
            report_data,
            ..self.report.clone()
        };
        let mut evidence = Evidence {
            cpu: CpuReport::Snp(self.amd.sign(&report).to_vec()),
            claims: self.claims.clone(),
            gpus: self.gpus.clone(),
            endorsements: self.endorsements.clone(),
        };
        (self.alter)(&mut evidence);
        let mut bytes = evidence.encode();
        (self.alter_bytes)(&mut bytes);
        bytes
    }

    /// What the relying party makes of it.
    pub fn verdict(&self) -> Result<Trusted, Refusal> {
        self.verdict_on(&self.bundle())
    }

    /// What the relying party makes of other bytes.
    pub fn verdict_on(&self, bundle: &[u8]) -> Result<Trusted, Refusal> {
        let (session, spki) = &self.seen;
        Unverified::new(Evidence::decode(bundle)?)
            .authenticate(&self.policy.roots(), &Endorsements::default(), self.now)?
            .bind(session, spki)?
            .agreed(self.agreement)
            .appraise(&self.policy)
    }
}

/// A policy for exactly the honest enclave: strict in everything else, and with a simulated root only if one is named.
pub fn policy(simulated_root: Option<[u8; 32]>) -> Policy {
    let text = Policy::template(&Template {
        configuration: CONFIGURATION,
        snp: Some(SnpTemplate {
            launch_digest: vec![LAUNCH_DIGEST],
            minimum_tcb: floor(TCB),
        }),
        simulated_roots: simulated_root.into_iter().collect(),
        ..Template::default()
    });
    Policy::parse(&text).expect("a template is a policy")
}

/// These levels as a floor of the simulated chip's product line.
pub fn floor(levels: Tcb) -> Floor {
    Floor::each([(Product::Genoa, levels)]).expect("a floor")
}

/// The claims of the honest enclave.
pub fn claims() -> Claims {
    Claims {
        profile: PROFILE.to_owned(),
        release: "0.1.0".to_owned(),
        configuration: host_data(CONFIGURATION),
        engines: vec![EngineClaim {
            name: "llama-cpu".to_owned(),
            version: "llama.cpp".to_owned(),
            disk: [0x22; 32],
        }],
        models: vec![ModelClaim {
            name: "smollm2".to_owned(),
            kind: "chat".to_owned(),
            engine: "llama-cpu".to_owned(),
            disk: [0x55; 32],
            weights: [0x33; 32],
            tokenizer: Some([0x66; 32]),
            template: Some([0x44; 32]),
        }],
        known_answer: true,
        receipt_key: [0x77; 32],
        hpke_key: [0x09; 32],
        epoch: 0,
        epoch_began: NOW.0,
        epoch_seconds: 600,
    }
}
