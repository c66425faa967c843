//! The simulated NVIDIA: two roots, any number of GPUs, their reference manifests and a responder for revocation.
//!
//! It signs what a real one signs: SPDM reports, manifests in XML, OCSP answers. Its GPUs report what its manifests say, unless a
//! test changes either:
//!
//! ```
//! use chrysalis_attestation::Time;
//! use chrysalis_simulate::{Nvidia, nvidia::{CertificateStatus, opaque}};
//!
//! let now = Time(1_796_126_400);
//! let nvidia = Nvidia::from_seed(&[7; 32], now);
//! let honest = nvidia.gpu(0).evidence(&[1; 32]);
//!
//! // Other firmware than the manifest names, as in dev-tools mode.
//! let mut gpu = nvidia.gpu(0);
//! gpu.measurements.insert(3, [0; 48]);
//! // Other firmware than the key was certified for.
//! gpu.opaque.insert(opaque::FWID, vec![0; 48]);
//! // A certificate that has expired.
//! gpu.reissue_leaf(|leaf| leaf.not_after = now);
//! // Another device, with the serial number of the first.
//! let serial = gpu.chain[1].serial();
//! let mut twin = nvidia.gpu(1);
//! twin.reissue_identity(|identity| identity.serial = Some(serial));
//! // A device on hold.
//! let hold = CertificateStatus::Revoked { since: now, reason: 6 };
//! let answers = nvidia.ocsp_with(now, None, |place, answer| {
//!     if place == 0 {
//!         answer.status = hold;
//!     }
//! });
//! # assert_ne!(honest, gpu.evidence(&[1; 32]));
//! # assert_ne!(answers, nvidia.ocsp(now, None));
//! ```

mod gpu;
mod manifest;
mod ocsp;
mod reference;

pub use gpu::{Gpu, Layout, opaque};
pub use manifest::Manifest;
pub use ocsp::{Answer, CertificateStatus, Place};
pub use reference::{DRIVER, SWITCH_FIRMWARE, VBIOS, golden};

use crate::{Curve, Profile, Purpose, Signer, SimulateError, seed};
use chrysalis_attestation::{
    Time,
    encoding::digest::sha256,
    nvidia::{GpuCollateral, NvidiaRoots, ocsp::OcspAnswer},
};
use std::{collections::BTreeSet, path::Path};

/// A simulated vendor with the GPUs of one machine. It signs anything, where a real one would check first.
#[derive(Clone)]
pub struct Nvidia {
    /// Above every device's identity: provisioner, chip family, root.
    pub device_authorities: [Signer; 3],
    /// Above every manifest's signature: signer, intermediate, authority, root.
    pub rim_chain: Vec<Signer>,
    now: Time,
    gpus: u64,
}

impl Nvidia {
    /// A vendor whose keys follow from the seed and are not stored. Certificates are valid around `now`; those of the
    /// roots are always the same.
    pub fn from_seed(seed: &[u8; 32], now: Time) -> Self {
        let authority = |name: &str| Profile::new(name, Purpose::Authority(None), now);
        let device_root = Signer::root(
            Curve::P384,
            seed,
            Profile::root("NVIDIA Device Identity CA"),
        );
        let family = device_root.issue(authority("NVIDIA GH100 Identity"));
        let provisioner = family.issue(authority("NVIDIA GH100 Provisioner ICA 1"));
        let rim_root = Signer::root(
            Curve::P384,
            seed,
            Profile::root("NVIDIA CoRIM signing Root CA"),
        );
        let rim_authority = rim_root.issue(authority("NVIDIA Reference Value GH100 CA"));
        let between = rim_authority.issue(authority("NVIDIA Reference Value L3 GH100 001"));
        let signer = between.issue(Profile::new("HCC RIM L4 Signer", Purpose::Signs, now));
        Self {
            device_authorities: [provisioner, family, device_root],
            rim_chain: vec![signer, between, rim_authority, rim_root],
            now,
            gpus: 1,
        }
    }

    /// Opens the vendor that `folder` keeps, or makes one there on first use: its seed, and both roots in PEM.
    pub fn open_or_create(folder: &Path, now: Time) -> Result<Self, SimulateError> {
        let seed = seed::open_or_create(folder, |seed| {
            let vendor = Self::from_seed(seed, now);
            vec![
                ("device-root.pem", vendor.device_root().to_vec()),
                ("rim-root.pem", vendor.rim_root().to_vec()),
            ]
        })?;
        Ok(Self::from_seed(&seed, now))
    }

    /// How many GPUs the machine has, one by default: this many identities are revocable.
    #[must_use]
    pub fn with_gpus(mut self, count: u64) -> Self {
        self.gpus = count;
        self
    }

    /// The root of devices, DER.
    pub fn device_root(&self) -> &[u8] {
        let [.., root] = &self.device_authorities;
        &root.der
    }

    /// The root of manifests, DER.
    pub fn rim_root(&self) -> &[u8] {
        self.rim_chain.last().map_or(&[], |root| &root.der)
    }

    /// NVIDIA's roots, and these two as well.
    pub fn roots(&self) -> NvidiaRoots {
        NvidiaRoots::nvidia()
            .and_simulated(sha256(&[self.device_root()]), sha256(&[self.rim_root()]))
    }

    /// One GPU, honest until something in it is changed. The same index is the same device.
    pub fn gpu(&self, index: u64) -> Gpu {
        Gpu::new(&self.device_authorities, index, self.now)
    }

    /// A machine whose GPUs share their memory over switches (protected PCIe): this many GPUs, at most eight, then this many switches.
    pub fn fabric(&self, gpus: u64, switches: u64) -> Vec<Gpu> {
        let [_, family, root] = &self.device_authorities;
        let name = "NVIDIA LS_10 Provisioner ICA 1";
        let provisioner = family.issue(Profile::new(name, Purpose::Authority(None), self.now));
        let authorities = [provisioner, family.clone(), root.clone()];
        let switch = |index| Gpu::switch(&authorities, index, gpus, self.now);
        let gpu = |index| self.gpu(index).on_fabric(index, switches);
        (0..gpus)
            .map(gpu)
            .chain((0..switches).map(switch))
            .collect()
    }

    /// Good answers about all of these devices' certificates and the manifests', each once.
    pub fn answers_about(
        &self,
        devices: &[Gpu],
        now: Time,
        nonce: Option<[u8; 32]>,
    ) -> Vec<Answer> {
        let chains = devices.iter().map(|device| &device.chain[1..]);
        let mut asked = BTreeSet::new();
        let pairs = chains
            .chain([&self.rim_chain[..]])
            .flat_map(|chain| chain.windows(2));
        pairs
            .filter(|pair| asked.insert(pair[0].der.clone()))
            .map(|pair| Answer::good(&pair[0], &pair[1], now, nonce))
            .collect()
    }

    /// The manifests of the driver and of the VBIOS, signed.
    pub fn rims(&self) -> Vec<Vec<u8>> {
        [Manifest::driver(), Manifest::vbios()]
            .iter()
            .map(|manifest| self.sign_manifest(&manifest.document()))
            .collect()
    }

    /// Signs a manifest with any content; it must be in canonical form. XML.
    pub fn sign_manifest(&self, document: &str) -> Vec<u8> {
        manifest::sign(document, &self.rim_chain).into_bytes()
    }

    /// Each certificate that may be revoked, with its issuer: first those of the first GPU and the ones above it, then those of
    /// the manifests, then the identities of further GPUs.
    pub fn revocable(&self) -> Vec<(Signer, Signer)> {
        let [provisioner, family, root] = &self.device_authorities;
        let identity = |index| {
            let [_, identity, ..] = self.gpu(index).chain;
            (identity, provisioner.clone())
        };
        let mut pairs = vec![
            identity(0),
            (provisioner.clone(), family.clone()),
            (family.clone(), root.clone()),
        ];
        let issuers = self.rim_chain.iter().skip(1);
        let rim = self.rim_chain.iter().zip(issuers);
        pairs.extend(rim.map(|(subject, issuer)| (subject.clone(), issuer.clone())));
        pairs.extend((1..self.gpus).map(identity));
        pairs
    }

    /// A good answer about each certificate that may be revoked. Without a nonce it is one to staple.
    pub fn ocsp(&self, now: Time, nonce: Option<[u8; 32]>) -> Vec<OcspAnswer> {
        self.ocsp_with(now, nonce, |_, _| ())
    }

    /// The same, with each answer changed before it is signed; `change` receives its position in [`Self::revocable`].
    pub fn ocsp_with(
        &self,
        now: Time,
        nonce: Option<[u8; 32]>,
        mut change: impl FnMut(usize, &mut Answer),
    ) -> Vec<OcspAnswer> {
        let pairs = self.revocable();
        let answers = pairs.iter().enumerate().map(|(place, (subject, issuer))| {
            let mut answer = Answer::good(subject, issuer, now, nonce);
            change(place, &mut answer);
            OcspAnswer {
                der: answer.encode(),
                nonce,
            }
        });
        answers.collect()
    }

    /// What a relying party needs in addition to the evidence. The answers are for stapling: they carry no nonce.
    pub fn collateral(&self, now: Time) -> GpuCollateral {
        GpuCollateral {
            rims: self.rims(),
            ocsp: self.ocsp(now, None),
        }
    }
}
