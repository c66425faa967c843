//! Quotes of versions 4 and 5, signed in Intel's three steps: the quoting enclave's key signs the TD's report, the enclave's
//! own report names that key, and the platform's key signs the enclave's report.

use super::{Intel, event_log::counted, pem};
use chrysalis_attestation::{
    encoding::digest::{sha256, sha384},
    tdx::attributes::SEPT_VE_DISABLE,
};

/// TDX.
const TEE_TDX: u32 = 0x81;
/// ECDSA on P-256.
const KEY_TYPE: u16 = 2;
/// Intel's quoting enclave.
const VENDOR: [u8; 16] = [
    0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07,
];
/// Version 5's name for a TD report 1.5.
const BODY_TD_15: u16 = 3;
/// Version 5's name for an extended TD report 1.5.
const BODY_TD_15_EXTENDED: u16 = 4;
/// The size of a TD report 1.0, which is the first part of a 1.5.
const TD_10_SIZE: usize = 584;
/// Certification data: a chain in PEM.
const PCK_CHAIN: u16 = 5;
/// Certification data: the quoting enclave's report and what certifies it.
const ENCLAVE_REPORT: u16 = 6;
/// What the quoting enclave signs along with its key: Intel's has 32 bytes too.
const AUTHENTICATION_DATA: [u8; 32] = [9; 32];

/// The layout of a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuoteVersion {
    /// An SGX enclave's, version 3: not a TD at all, a lie for tests.
    Enclave,
    /// With a TD report 1.0.
    V4,
    /// With a TD report 1.5.
    V5,
    /// With a TD report 1.5 in its extended layout.
    V5Extended,
}

/// A TD as the TDX module reports it, and the layout of its quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TdProfile {
    /// The layout.
    pub version: QuoteVersion,
    /// Levels of the module and the platform when the TD was launched: module's SVN, module's version, microcode.
    pub tee_tcb_svn: [u8; 16],
    /// The measurement of the module.
    pub mrseam: [u8; 48],
    /// Who signed the module: zero is Intel.
    pub mrsignerseam: [u8; 48],
    /// SEAMATTRIBUTES: none are defined.
    pub seam_attributes: [u8; 8],
    /// TDATTRIBUTES.
    pub attributes: u64,
    /// XFAM.
    pub xfam: u64,
    /// The measurement of the TD's initial contents.
    pub mrtd: [u8; 48],
    /// Its configuration's digest.
    pub mrconfigid: [u8; 48],
    /// Its owner.
    pub mrowner: [u8; 48],
    /// Its owner's configuration.
    pub mrownerconfig: [u8; 48],
    /// What was measured while it ran.
    pub rtmrs: [[u8; 48]; 4],
    /// What the TD put there.
    pub report_data: [u8; 64],
    /// The current levels. Only a report 1.5 has them.
    pub tee_tcb_svn_2: [u8; 16],
    /// The service TDs that are bound to it. Only a report 1.5 has them.
    pub mrservicetd: [u8; 48],
    /// What the extended layout adds, in this order: partition, the TD's identity, devices, first service TDs and where they were bound,
    /// current service TDs.
    pub extension: [u8; 237],
    /// The type of the platform's certification data: 5 is a chain.
    pub certification: u16,
    /// How many certificates the quote contains: PCK, its authority, the root.
    pub chain_length: usize,
    /// How many bytes follow the certificates, inside their wrapping.
    pub after_chain: usize,
    /// How many bytes follow the quoting enclave's certification, inside the signature data.
    pub after_certification: usize,
    /// What follows the chain's text: quoting services leave a NUL there.
    pub chain_end: Vec<u8>,
    /// Its line ending.
    pub line_end: &'static str,
}

impl Default for TdProfile {
    /// A TD on an up-to-date platform, not debuggable, with nothing measured.
    fn default() -> Self {
        let mut levels = [0; 16];
        levels[..3].copy_from_slice(&[7, 1, 5]);
        Self {
            version: QuoteVersion::V5,
            tee_tcb_svn: levels,
            mrseam: sha384(&[b"simulated TDX module"]),
            mrsignerseam: [0; 48],
            seam_attributes: [0; 8],
            attributes: SEPT_VE_DISABLE,
            xfam: 0xE7,
            mrtd: [0; 48],
            mrconfigid: [0; 48],
            mrowner: [0; 48],
            mrownerconfig: [0; 48],
            rtmrs: [[0; 48]; 4],
            report_data: [0; 64],
            tee_tcb_svn_2: levels,
            mrservicetd: [0; 48],
            extension: [0; 237],
            certification: PCK_CHAIN,
            chain_length: 3,
            after_chain: 0,
            after_certification: 0,
            chain_end: vec![0],
            line_end: "\n",
        }
    }
}

impl TdProfile {
    /// The TD report 1.5, 648 bytes.
    pub fn encode(&self) -> Vec<u8> {
        [
            &self.tee_tcb_svn[..],
            &self.mrseam,
            &self.mrsignerseam,
            &self.seam_attributes,
            &self.attributes.to_le_bytes(),
            &self.xfam.to_le_bytes(),
            &self.mrtd,
            &self.mrconfigid,
            &self.mrowner,
            &self.mrownerconfig,
            self.rtmrs.as_flattened(),
            &self.report_data,
            &self.tee_tcb_svn_2,
            &self.mrservicetd,
        ]
        .concat()
    }
}

impl Intel {
    /// The signed quote of a TD, with the platform's certificates inside.
    pub fn quote(&self, td: &TdProfile) -> Vec<u8> {
        let (version, tee) = match td.version {
            QuoteVersion::Enclave => (3_u16, 0),
            QuoteVersion::V4 => (4, TEE_TDX),
            QuoteVersion::V5 | QuoteVersion::V5Extended => (5, TEE_TDX),
        };
        // Without the 4 that marks it as uncompressed.
        let point = self.attestation_key.point();
        let point = point.get(1..).unwrap_or_default();
        let enclave = self
            .quoting_enclave
            .encode(sha256(&[point, &AUTHENTICATION_DATA]));

        let mut quote = Vec::new();
        quote.extend(version.to_le_bytes());
        quote.extend(KEY_TYPE.to_le_bytes());
        quote.extend(tee.to_le_bytes());
        quote.extend([0; 4]);
        quote.extend(VENDOR);
        quote.extend([0; 20]);
        let report = td.encode();
        match td.version {
            QuoteVersion::Enclave => quote.extend(&enclave),
            QuoteVersion::V4 => quote.extend(report.iter().take(TD_10_SIZE)),
            QuoteVersion::V5 => {
                quote.extend(BODY_TD_15.to_le_bytes());
                quote.extend(counted(&report));
            }
            QuoteVersion::V5Extended => {
                quote.extend(BODY_TD_15_EXTENDED.to_le_bytes());
                quote.extend(counted(&[&report[..], &td.extension].concat()));
            }
        }

        let mut data = self.attestation_key.sign_fixed(&quote);
        data.extend(point);
        let certification = certification(self, td, &enclave);
        if td.version == QuoteVersion::Enclave {
            data.extend(certification);
        } else {
            data.extend(ENCLAVE_REPORT.to_le_bytes());
            data.extend(counted(&certification));
        }
        data.resize(data.len() + td.after_certification, 0);
        quote.extend(counted(&data));
        quote
    }
}

/// The quoting enclave's report, the platform's signature over it, and the platform's certificates.
fn certification(intel: &Intel, td: &TdProfile, enclave: &[u8]) -> Vec<u8> {
    let mut inner = enclave.to_vec();
    inner.extend(intel.pck.sign_fixed(enclave));
    let size = u16::try_from(AUTHENTICATION_DATA.len()).unwrap_or(u16::MAX);
    inner.extend(size.to_le_bytes());
    inner.extend(AUTHENTICATION_DATA);
    let chain = [&intel.pck, &intel.pck_authority, &intel.root];
    let text = pem(chain.get(..td.chain_length).unwrap_or(&chain));
    let mut text = text.replace('\n', td.line_end).into_bytes();
    text.extend(&td.chain_end);
    inner.extend(td.certification.to_le_bytes());
    inner.extend(counted(&text));
    inner.resize(inner.len() + td.after_chain, 0);
    inner
}
