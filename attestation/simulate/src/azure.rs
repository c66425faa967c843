//! Azure's paravisor: it has a report cover what it says about the guest's virtual TPM, and wraps both; the virtual TPM quotes.
//!
//! It signs nothing in a vendor's name: the report is signed by a [`crate::Amd`], or the quote of the `TDREPORT` by a [`crate::Intel`].

use crate::{SimulateError, intel::TdProfile};
use chrysalis_attestation::encoding::digest::{sha256, sha384};
use data_encoding::BASE64URL_NOPAD;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rsa::{
    BigUint, Pkcs1v15Sign, RsaPrivateKey,
    sha2::{Digest, Sha256},
    traits::PublicKeyParts,
};
use std::collections::BTreeMap;

/// An SEV-SNP report fills the room in the wrapping; a `TDREPORT` is shorter.
const ROOM: usize = 1184;
const TDREPORT_SIZE: usize = 1024;
const KEY_BITS: usize = 2048;

/// The report data, which the guest cannot choose: the digest of the runtime data.
pub fn report_data(runtime_data: &[u8]) -> [u8; 64] {
    let mut data = [0; 64];
    let (digest, _) = data.split_at_mut(32);
    digest.copy_from_slice(&sha256(&[runtime_data]));
    data
}

/// Wraps a report: one of 1024 bytes is taken for a `TDREPORT`, any other for an SEV-SNP report.
pub fn wrap(report: &[u8], runtime_data: &[u8]) -> Vec<u8> {
    let platform = if report.len() == TDREPORT_SIZE { 4 } else { 2 };
    let length = u32::try_from(runtime_data.len()).unwrap_or(u32::MAX);
    let words = |words: [u32; 5]| words.map(u32::to_le_bytes).concat();
    let mut bytes = b"HCLA".to_vec();
    // Version, size, the request for a key, its success, reserved.
    bytes.extend(words([2, length.saturating_add(1236), 2, 0, 0]));
    bytes.resize(32, 0);
    bytes.extend(report);
    bytes.resize(32 + ROOM, 0);
    // Size, version, whose report, SHA-256, and the size again.
    bytes.extend(words([length.saturating_add(20), 1, platform, 1, length]));
    bytes.extend(runtime_data);
    bytes
}

/// The `TDREPORT` of a TD. Its MAC is noise: only its machine could check it.
pub fn tdreport(td: &TdProfile) -> Vec<u8> {
    let bound = td.mrservicetd != [0; 48];
    let mut tcb_info = [
        // VALID: everything that a quote contains.
        &[0xFF, 1, 3, 0, 0, 0, 0, 0][..],
        &td.tee_tcb_svn,
        &td.mrseam,
        &td.mrsignerseam,
        // SEAMATTRIBUTES: none are defined.
        &[0; 8],
        &td.tee_tcb_svn_2,
    ]
    .concat();
    tcb_info.resize(239, 0);
    let mut td_info = [
        &td.attributes.to_le_bytes()[..],
        &td.xfam.to_le_bytes(),
        &td.mrtd,
        &td.mrconfigid,
        &td.mrowner,
        &td.mrownerconfig,
        td.rtmrs.as_flattened(),
        &td.mrservicetd,
    ]
    .concat();
    td_info.resize(512, 0);
    [
        &[0x81, 0, u8::from(bound), 0][..],
        &[0; 12],
        // CPUSVN.
        &[4; 16],
        &sha384(&[&tcb_info]),
        &sha384(&[&td_info]),
        &td.report_data,
        &[0; 32],
        &[0x5A; 32],
        &tcb_info,
        &[0; 17],
        &td_info,
    ]
    .concat()
}

/// The virtual TPM of a guest.
#[derive(Debug, Clone)]
pub struct VirtualTpm {
    key: RsaPrivateKey,
}

/// A quote of its PCRs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcrQuote {
    /// The `TPMS_ATTEST`.
    pub message: Vec<u8>,
    /// The bare signature.
    pub signature: Vec<u8>,
    /// The quoted values, in the order of the PCRs' numbers.
    pub pcrs: Vec<[u8; 32]>,
}

impl VirtualTpm {
    /// The virtual TPM with this seed.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, SimulateError> {
        let mut random = ChaCha20Rng::from_seed(seed);
        let key =
            RsaPrivateKey::new(&mut random, KEY_BITS).map_err(SimulateError::of_virtual_tpm)?;
        Ok(Self { key })
    }

    /// What the paravisor says about it.
    pub fn runtime_data(&self) -> Vec<u8> {
        let number = |number: &BigUint| BASE64URL_NOPAD.encode(&number.to_bytes_be());
        let (n, e) = (number(self.key.n()), number(self.key.e()));
        let text = format!(
            r#"{{"keys":[{{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"{e}","n":"{n}"}}],"vm-configuration":{{"tpm-enabled":true}},"user-data":"00"}}"#
        );
        text.into_bytes()
    }

    /// Quotes PCRs of the SHA-256 bank, by number, for a caller's nonce of at most 66 bytes.
    pub fn quote(
        &self,
        nonce: &[u8],
        pcrs: &BTreeMap<u8, [u8; 32]>,
    ) -> Result<PcrQuote, SimulateError> {
        let selected = pcrs.keys().fold(0_u32, |bits, index| {
            bits | 1_u32.checked_shl((*index).into()).unwrap_or(0)
        });
        let pcrs: Vec<_> = pcrs.values().copied().collect();
        let [low, middle, high, _] = selected.to_le_bytes();
        let length = u16::try_from(nonce.len()).unwrap_or(u16::MAX);
        let message = [
            &[0xFF, b'T', b'C', b'G', 0x80, 0x18][..],
            // The signer's name: not needed, as the report names the key.
            &[0, 0],
            &length.to_be_bytes(),
            nonce,
            // Clock, resets, restarts; safe; firmware.
            &[0; 16],
            &[1],
            &[0; 8],
            // One bank, SHA-256.
            &[0, 0, 0, 1, 0, 0x0B, 3, low, middle, high],
            &[0, 32],
            &sha256(&[pcrs.as_flattened()]),
        ]
        .concat();
        let digest = Sha256::digest(&message);
        let signature = self
            .key
            .sign(Pkcs1v15Sign::new::<Sha256>(), &digest)
            .map_err(SimulateError::of_virtual_tpm)?;
        Ok(PcrQuote {
            message,
            signature,
            pcrs,
        })
    }
}
