//! One simulated H100, or one simulated switch between several: its certificates, what it says about itself, and the report that it
//! signs.

use super::reference::{SWITCH_FIRMWARE, golden};
use crate::{
    Profile, Purpose, Signer,
    tlv::{tag, tlv},
};
use chrysalis_attestation::{
    Time,
    encoding::digest::sha384,
    nvidia::{GpuEvidence, spdm::Request},
};
use std::collections::BTreeMap;

/// 2.23.133.5.4.1, TCG's composite device identity.
const COMPOSITE: &str = "2.23.133.5.4.1";
/// 2.16.840.1.101.3.4.2.2
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];

/// Kinds of names on the fabric.
const GPU: u64 = 0x41;
const SWITCH: u64 = 0x50;
/// How many links a GPU has.
const LINKS: usize = 18;
/// How many GPUs a switch names.
const GPUS_OF_A_SWITCH: usize = 8;

/// Kinds of opaque data, the keys of [`Gpu::opaque`].
pub mod opaque {
    /// The driver's version, text.
    pub const DRIVER_VERSION: u16 = 3;
    /// The firmware's version.
    pub const VBIOS_VERSION: u16 = 6;
    /// Whether the first video decoder is on: 0xAA or 0x55.
    pub const NVDEC0_STATUS: u16 = 11;
    /// Text.
    pub const CHIP_SKU: u16 = 15;
    /// Text.
    pub const PROJECT: u16 = 17;
    /// Text.
    pub const PROJECT_SKU: u16 = 18;
    /// The firmware that the key was certified for.
    pub const FWID: u16 = 20;
    /// Whether the GPU shares its memory over attested switches: 0xAA or 0x55. Firmware of 2024 says it so.
    pub const PROTECTED_PCIE_STATUS: u16 = 21;
    /// For a GPU: the switch at each of its links, with the bytes of each name reversed. For a switch: its own identity.
    pub const SWITCH_PDI: u16 = 22;
    /// For a switch: 1 if its configuration is locked.
    pub const LOCK_SWITCH_STATUS: u16 = 25;
    /// For a switch: the eight GPUs at its ports, and which port leads to which.
    pub const SWITCH_GPU_PDIS: u16 = 26;
    /// How the GPU is passed through to the guest: two bytes, little-endian; 0 alone, 1 with others, 2 over attested switches.
    pub const FEATURE_FLAG: u16 = 36;
    /// The level of the first stage's microcode: two bytes, little-endian. Only the layout with a header has it.
    pub const FSP_UCODE_SVN: u16 = 37;
}

/// A simulated GPU. It signs whatever its fields say; tests may change them.
#[derive(Clone)]
pub struct Gpu {
    /// Leaf (FMC), identity (BROM), provisioner, chip family, root.
    pub chain: [Signer; 5],
    /// Its measurements, by RIM index: SPDM's block 1 is index 0.
    pub measurements: BTreeMap<u8, [u8; 48]>,
    /// What the device says about itself, by kind.
    pub opaque: BTreeMap<u16, Vec<u8>>,
    /// The device's own nonce.
    pub responder_nonce: [u8; 32],
    /// The layout of its opaque data.
    pub layout: Layout,
}

/// A layout of opaque data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Type, length, value: drivers before CUDA 13.5.
    Plain,
    /// A header, then type, value type, length, value: drivers of CUDA 13.5 and later.
    Versioned {
        /// 0, from an honest driver.
        profile: u16,
        /// Major, minor and patch: 2, 0, 0.
        version: [u8; 3],
    },
}

impl Layout {
    /// As written by an honest driver of CUDA 13.5.
    pub const VERSIONED: Self = Self::Versioned {
        profile: 0,
        version: [2, 0, 0],
    };

    fn encode(&self, entries: &BTreeMap<u16, Vec<u8>>) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Self::Versioned {
            profile,
            version: [major, minor, patch],
        } = self
        {
            bytes.extend(b"NVDAOD");
            bytes.extend(profile.to_le_bytes());
            bytes.extend([major, minor, patch, &0]);
        }
        for (kind, value) in entries {
            bytes.extend(kind.to_le_bytes());
            if *self != Self::Plain {
                bytes.extend(value_type(*kind).to_le_bytes());
            }
            bytes.extend(length(value));
            bytes.extend(value);
        }
        bytes
    }
}

/// The value type of a kind, as in public captures.
fn value_type(kind: u16) -> u16 {
    match kind {
        opaque::FSP_UCODE_SVN => 0x87,
        opaque::FWID => 1,
        opaque::FEATURE_FLAG => 0x85,
        opaque::DRIVER_VERSION | opaque::VBIOS_VERSION => 0x86,
        _ => 0x82,
    }
}

impl Gpu {
    pub(super) fn new(authorities: &[Signer; 3], index: u64, now: Time) -> Self {
        let [provisioner, family, root] = authorities.clone();
        let identity = provisioner.issue(Profile {
            number: index,
            ..Profile::new("GH100 A01 GSP BROM", Purpose::Authority(None), now)
        });
        let leaf = identity.issue(leaf_profile(&identity, now));
        let opaque = BTreeMap::from([
            (opaque::DRIVER_VERSION, b"550.90.07\0".to_vec()),
            (
                opaque::VBIOS_VERSION,
                vec![0x00, 0x9f, 0x00, 0x96, 0x01, 0, 0, 0],
            ),
            (opaque::NVDEC0_STATUS, vec![0xAA]),
            (opaque::CHIP_SKU, b"882\0\0\0\0\0\0".to_vec()),
            (opaque::PROJECT, b"1010\0".to_vec()),
            (opaque::PROJECT_SKU, b"0200\0".to_vec()),
            (opaque::FWID, Self::fwid().to_vec()),
            (opaque::FEATURE_FLAG, vec![0, 0]),
        ]);
        let chain = [leaf, identity, provisioner, family, root];
        Self::answering(chain, index, 64, opaque)
    }

    /// A device that measures what it should, at so many indices.
    fn answering(
        chain: [Signer; 5],
        index: u64,
        measured: u8,
        opaque: BTreeMap<u16, Vec<u8>>,
    ) -> Self {
        let digest = sha384(&[b"responder", &index.to_be_bytes()]);
        Self {
            chain,
            measurements: (0..measured).map(|place| (place, golden(place))).collect(),
            opaque,
            responder_nonce: digest.first_chunk().copied().unwrap_or_default(),
            layout: Layout::Plain,
        }
    }

    /// A GPU in protected-PCIe mode, whose links lead to these switches, each identified by its position.
    pub(super) fn on_fabric(mut self, index: u64, switches: u64) -> Self {
        self.reissue_identity(|identity| identity.serial = Some(pdi(GPU, index).into()));
        let links = (0..switches).flat_map(|place| pdi(SWITCH, place).to_le_bytes());
        let mut links: Vec<u8> = links.collect();
        links.resize(LINKS * 8, 0);
        self.opaque.insert(opaque::SWITCH_PDI, links);
        self.opaque.insert(opaque::FEATURE_FLAG, vec![2, 0]);
        self
    }

    /// A switch whose ports lead to this many GPUs. It answers in the same form as a GPU.
    pub(super) fn switch(authorities: &[Signer; 3], index: u64, gpus: u64, now: Time) -> Self {
        let [provisioner, family, root] = authorities.clone();
        let identity = provisioner.issue(Profile {
            number: index,
            serial: Some(pdi(SWITCH, index).into()),
            ..Profile::new("LS_10 A01 FSP BROM", Purpose::Authority(None), now)
        });
        let leaf = identity.issue(Profile {
            common_name: "LS_10 A01 FSP FMC LF".to_owned(),
            ..leaf_profile(&identity, now)
        });
        let ports = (0..gpus).flat_map(|place| pdi(GPU, place).to_be_bytes());
        let mut ports: Vec<u8> = ports.collect();
        ports.resize(GPUS_OF_A_SWITCH * 8, 0);
        ports.resize(GPUS_OF_A_SWITCH * 16, 0xFF);
        let opaque = BTreeMap::from([
            (opaque::VBIOS_VERSION, SWITCH_FIRMWARE.into()),
            (opaque::SWITCH_PDI, pdi(SWITCH, index).to_be_bytes().into()),
            (opaque::LOCK_SWITCH_STATUS, vec![1, 0]),
            (opaque::SWITCH_GPU_PDIS, ports),
        ]);
        let chain = [leaf, identity, provisioner, family, root];
        Self::answering(chain, index, 31, opaque)
    }

    /// The firmware that every honest leaf is certified for.
    pub fn fwid() -> [u8; 48] {
        sha384(&[b"simulated first stage"])
    }

    /// The same with a driver of CUDA 13.5: the layout with a header, and a level in it.
    #[must_use]
    pub fn with_versioned_data(mut self) -> Self {
        self.layout = Layout::VERSIONED;
        self.opaque
            .insert(opaque::FSP_UCODE_SVN, 20_u16.to_le_bytes().into());
        self
    }

    /// Issues the leaf again, with something changed, by the chain's current identity.
    pub fn reissue_leaf(&mut self, change: impl FnOnce(&mut Profile)) {
        let [leaf, identity, ..] = &mut self.chain;
        let mut profile = leaf.profile();
        change(&mut profile);
        *leaf = identity.issue(profile);
    }

    /// Issues the identity again, with something changed, by the chain's current provisioner, and then the leaf below it.
    pub fn reissue_identity(&mut self, change: impl FnOnce(&mut Profile)) {
        let [_, identity, provisioner, ..] = &mut self.chain;
        let mut profile = identity.profile();
        change(&mut profile);
        *identity = provisioner.issue(profile);
        self.reissue_leaf(|_| ());
    }

    /// Issues the family's certificate again, with something changed, by the root, and then all those below it.
    pub fn reissue_family(&mut self, change: impl FnOnce(&mut Profile)) {
        let [_, _, provisioner, family, root] = &mut self.chain;
        let mut profile = family.profile();
        change(&mut profile);
        *family = root.issue(profile);
        *provisioner = family.issue(provisioner.profile());
        self.reissue_identity(|_| ());
    }

    /// Answers a question: the signed report, and the certificates behind it.
    pub fn evidence(&self, nonce: &[u8; 32]) -> GpuEvidence {
        let request = Request {
            nonce: *nonce,
            slot: 0,
        };
        let mut report = request.encode().to_vec();
        let blocks = self.measurements.iter().flat_map(|(index, value)| {
            let header = [index.wrapping_add(1), 1, 51, 0, 1, 48, 0];
            header.into_iter().chain(*value)
        });
        let blocks: Vec<u8> = blocks.collect();
        report.extend([0x11, 0x60, 0, 0]);
        report.push(u8::try_from(self.measurements.len()).unwrap_or(u8::MAX));
        report.extend(blocks.len().to_le_bytes().iter().take(3));
        report.extend(blocks);
        report.extend(self.responder_nonce);
        let opaque = self.layout.encode(&self.opaque);
        report.extend(length(&opaque));
        report.extend(opaque);
        let [leaf, ..] = &self.chain;
        report.extend(leaf.sign_fixed(&report));
        GpuEvidence {
            report,
            chain: self.chain.iter().map(|signer| signer.der.clone()).collect(),
        }
    }
}

/// A device's identity on the fabric. Its highest bit makes the serial number nine bytes long, like NVIDIA's.
fn pdi(kind: u64, index: u64) -> u64 {
    1 << 63 | kind << 32 | index
}

/// The content of the honest leaf below this identity.
fn leaf_profile(identity: &Signer, now: Time) -> Profile {
    let digest = tlv(tag::OCTET_STRING, &[&Gpu::fwid()]);
    let fwid = tlv(tag::SEQUENCE, &[&tlv(tag::OID, &[SHA384]), &digest]);
    let version = tlv(tag::INTEGER, &[&[1]]);
    let key = identity.public_key_der();
    let composite = tlv(tag::SEQUENCE, &[&version, &key, &fwid]);
    Profile {
        extensions: vec![(COMPOSITE, composite)],
        ..Profile::new("GH100 A01 GSP FMC LF", Purpose::Signs, now)
    }
}

/// Two bytes, little-endian.
fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes()
}
