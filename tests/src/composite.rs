//! A machine with GPUs and a CPU of either vendor, and the evidence it sends: all honest, until a test makes one thing a lie.
//!
//! As in [`crate::scene`], simulated vendors sign what an enclave would have them sign.

use std::sync::LazyLock;

use chrysalis_attestation::{
    Refusal, Time, Trusted, Unverified,
    encoding::digest::{sha256, sha384},
    evidence::{
        CpuReport, Endorsements, Evidence,
        binding::{Anchor, Session},
        encode_gpus,
        path::Tree,
    },
    nvidia::{GpuEvidence, ocsp::OcspAnswer, opaque::Mode},
    policy::Policy,
    transcript::Expect,
};
use chrysalis_simulate::{
    Amd, Intel, Launch, Nvidia,
    intel::{TdProfile, collateral_json},
    nvidia::{Gpu, Manifest},
};

use crate::scene::{CONFIGURATION, LAUNCH_DIGEST, NOW, claims};

/// What the TD measures at launch.
pub const MRTD: [u8; 48] = [0xD2; 48];
/// The TLS key's `SubjectPublicKeyInfo`.
pub const SPKI: &[u8] = b"the enclave's SubjectPublicKeyInfo";
/// The conversation.
pub const SESSION: Session = Session::Asked {
    nonce: [0x4E; 32],
    exporter: [0xE4; 32],
};

/// The simulated Intel of all tests here.
pub static INTEL: LazyLock<Intel> = LazyLock::new(|| Intel::from_seed(&[0x17; 32], NOW));
/// The simulated NVIDIA of all tests here: a machine with two GPUs.
pub static NVIDIA: LazyLock<Nvidia> =
    LazyLock::new(|| Nvidia::from_seed(&[0x4D; 32], NOW).with_gpus(2));

/// Whose CPU the machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// AMD's: SEV-SNP.
    Amd,
    /// Intel's: TDX.
    Intel,
}

/// A machine with one GPU, and somebody in between.
pub struct Machine<'a> {
    amd: &'a Amd,
    cpu: Vendor,
    /// How many GPUs it has.
    pub gpus: u64,
    /// How many switches between them.
    pub switches: u64,
    /// The TD, but for its `REPORTDATA`.
    pub td: TdProfile,
    /// What each GPU is made to be before it answers.
    pub gpu: fn(&mut Gpu),
    /// How many questions the report answers, of which the relying party's is one.
    pub questions: u32,
    /// Where the relying party's question stands among them.
    pub place: u32,
    /// What the enclave does to the GPUs' evidence before the CPU signs it.
    pub before_signing: fn(&mut Vec<GpuEvidence>),
    /// What somebody in between does to the evidence.
    pub alter: fn(&mut Evidence),
    /// What travels along.
    pub endorsements: Endorsements,
    /// What the relying party wants.
    pub policy: Policy,
    /// The relying party's clock.
    pub now: Time,
}

impl<'a> Machine<'a> {
    /// Nobody lies. The policy wants one GPU.
    pub fn honest(amd: &'a Amd, cpu: Vendor) -> Self {
        let td = TdProfile {
            mrtd: MRTD,
            mrconfigid: sha384(&[CONFIGURATION]),
            ..TdProfile::default()
        };
        let gpus = NVIDIA.clone().with_gpus(1).collateral(NOW);
        let of_the_cpu = match cpu {
            Vendor::Amd => amd.endorsements(),
            Vendor::Intel => Endorsements {
                tdx: collateral_json(&INTEL.collateral(NOW))
                    .to_string()
                    .into_bytes(),
                ..Endorsements::default()
            },
        };
        Self {
            amd,
            cpu,
            gpus: 1,
            switches: 0,
            td,
            gpu: |_| (),
            questions: 1,
            place: 0,
            before_signing: |_| (),
            alter: |_| (),
            endorsements: Endorsements {
                rims: gpus.rims,
                ocsp: gpus.ocsp,
                ..of_the_cpu
            },
            policy: policy(&roots(amd)),
            now: NOW,
        }
    }

    /// With two GPUs, which the policy wants.
    #[must_use]
    pub fn with_two_gpus(mut self) -> Self {
        self.gpus = 2;
        self.endorsements.ocsp = NVIDIA.ocsp(NOW, None);
        if let Some(policy) = &mut self.policy.gpu {
            policy.wanted.count = Expect::AnyOf(vec![2]);
        }
        self
    }

    /// With two GPUs that share their memory over two switches, which the policy wants.
    #[must_use]
    pub fn with_switches(mut self) -> Self {
        (self.gpus, self.switches) = (2, 2);
        let manifest = Manifest::switch().document();
        self.endorsements.rims.push(NVIDIA.sign_manifest(&manifest));
        let answers = NVIDIA.answers_about(&NVIDIA.fabric(2, 2), NOW, None);
        let answers = answers.iter().map(|answer| OcspAnswer {
            der: answer.encode(),
            nonce: None,
        });
        self.endorsements.ocsp = answers.collect();
        if let Some(policy) = &mut self.policy.gpu {
            policy.wanted.count = Expect::AnyOf(vec![2]);
            policy.wanted.modes = Expect::AnyOf(vec![Mode::ProtectedPcie]);
        }
        self
    }

    /// The questions that the report answers; `None`: the relying party's alone. Every other is somebody else's.
    pub fn tree(&self) -> Option<Tree> {
        let question = |place: u32| {
            let own = place == self.place;
            if own { SESSION } else { another(place) }.digest(SPKI)
        };
        Tree::new(&(0..self.questions).map(question).collect::<Vec<_>>())
    }

    /// What the enclave sends.
    pub fn evidence(&self) -> Evidence {
        let claims = claims().encode();
        let tree = self.tree();
        let asked = tree.as_ref().map_or(SESSION.digest(SPKI), Tree::root);
        let anchor = Anchor::over(&asked, SPKI, &claims);
        let devices = match self.switches {
            0 => (0..self.gpus).map(|index| NVIDIA.gpu(index)).collect(),
            switches => NVIDIA.fabric(self.gpus, switches),
        };
        let ask = |mut device| {
            (self.gpu)(&mut device);
            device.evidence(&anchor.gpu_nonce())
        };
        let mut gpus: Vec<_> = devices.into_iter().map(ask).collect();
        (self.before_signing)(&mut gpus);
        let report_data = anchor.report_data(&encode_gpus(&gpus));
        let cpu = match self.cpu {
            Vendor::Amd => {
                let launch = Launch::new(LAUNCH_DIGEST, sha256(&[CONFIGURATION]), [0x1D; 32]);
                CpuReport::Snp(self.amd.sign_report(&launch, report_data).to_vec())
            }
            Vendor::Intel => CpuReport::Tdx {
                quote: INTEL.quote(&TdProfile {
                    report_data,
                    ..self.td.clone()
                }),
                event_log: Vec::new(),
            },
        };
        Evidence {
            cpu,
            claims,
            gpus,
            path: tree.and_then(|tree| tree.path(self.place)),
            endorsements: self.endorsements.clone(),
        }
    }

    /// The bundle as the relying party receives it.
    pub fn bundle(&self) -> Vec<u8> {
        let mut evidence = self.evidence();
        (self.alter)(&mut evidence);
        evidence.encode()
    }

    /// What the relying party makes of it.
    pub fn verdict(&self) -> Result<Trusted, Refusal> {
        self.verdict_on(&self.bundle())
    }

    /// What the relying party makes of other bytes.
    pub fn verdict_on(&self, bundle: &[u8]) -> Result<Trusted, Refusal> {
        Unverified::new(Evidence::decode(bundle)?)
            .authenticate(&self.policy.roots(), &Endorsements::default(), self.now)?
            .bind(&SESSION, SPKI)?
            .appraise(&self.policy)
    }
}

/// Somebody else's conversation with the same enclave.
pub fn another(place: u32) -> Session {
    let mut nonce = [0xA7; 32];
    nonce[..4].copy_from_slice(&place.to_be_bytes());
    Session::Asked {
        nonce,
        exporter: [0xE5; 32],
    }
}

/// SHA-256 of the roots that simulate AMD, Intel and NVIDIA, NVIDIA's for devices and for manifests.
pub fn roots(amd: &Amd) -> [[u8; 32]; 4] {
    let of = |root: &[u8]| sha256(&[root]);
    [
        amd.root_sha256(),
        of(INTEL.root()),
        of(NVIDIA.device_root()),
        of(NVIDIA.rim_root()),
    ]
}

/// A policy for exactly the honest machine of either vendor, with these simulated roots.
pub fn policy(roots: &[[u8; 32]]) -> Policy {
    Policy::parse(&policy_text(roots)).expect("a policy")
}

/// The same as a relying party writes it.
pub fn policy_text(roots: &[[u8; 32]]) -> String {
    let roots: Vec<_> = roots
        .iter()
        .map(|root| format!("\"{}\"", hex::encode(root)))
        .collect();
    let simulation = match roots.as_slice() {
        [] => String::new(),
        roots => format!("[simulation]\nroots = [{}]\n", roots.join(", ")),
    };
    let zero = "00".repeat(48);
    format!(
        "version = 1\n\
         [snp]\nlaunch_digest = [\"{}\"]\n\
         minimum_tcb.genoa = {{ bootloader = 10, tee = 0, snp = 23, microcode = 84 }}\n\
         [tdx]\nmrtd = [\"{}\"]\nrtmr0 = [\"{zero}\"]\nrtmr1 = [\"{zero}\"]\nrtmr2 = [\"{zero}\"]\n\
         minimum_evaluation = 17\nevent_log = {{ unchecked = \"nothing was measured at run time\" }}\n\
         [gpu]\ncount = [1]\nminimum_driver = \"550.90.07\"\nrevocation = \"stapled\"\n\
         [configuration]\nsha256 = [\"{}\"]\nsha384 = [\"{}\"]\n{simulation}",
        hex::encode(LAUNCH_DIGEST),
        hex::encode(MRTD),
        hex::encode(sha256(&[CONFIGURATION])),
        hex::encode(sha384(&[CONFIGURATION])),
    )
}
