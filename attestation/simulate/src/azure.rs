//! The simulated Azure: its wrapping around a report, and a virtual TPM whose key the report covers.
//!
//! Honest unless a test changes a byte of what comes out: wrapping and quote are laid out here once, so that each lie is one
//! change.

use chrysalis_attestation::{
    digest::sha256,
    snp::{hcl::MAGIC, report::REPORT_SIZE},
};
use data_encoding::BASE64URL_NOPAD;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rsa::{Pkcs1v15Sign, RsaPrivateKey, traits::PublicKeyParts};
use sha2::{Digest, Sha256};

use crate::{SimulateError, key::seed_below};

/// A TPM's key size.
const BITS: usize = 2048;
/// A TPM has this many PCRs.
const PCRS: u8 = 24;

/// What a report has to hold for these runtime data: their digest, and zeros.
pub fn report_data(runtime_data: &[u8]) -> [u8; 64] {
    let mut report_data = [0; 64];
    let digest = sha256(&[runtime_data]);
    for (to, from) in report_data.iter_mut().zip(digest) {
        *to = from;
    }
    report_data
}

/// A header of 32 bytes, the report, five words, and the runtime data.
pub fn wrapped(report: &[u8; REPORT_SIZE], runtime_data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(runtime_data.len()).unwrap_or(u32::MAX);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(2_u32.to_le_bytes());
    bytes.extend([0; 24]);
    bytes.extend(report);
    // Size and version of what follows; SEV-SNP; SHA-256.
    for word in [length.saturating_add(20), 1, 2, 1, length] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(runtime_data);
    bytes
}

/// A virtual TPM. It signs whatever it is told to.
pub struct Tpm {
    key: RsaPrivateKey,
}

impl Tpm {
    /// One whose key follows from the seed. Takes a second.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, SimulateError> {
        let mut random = ChaCha20Rng::from_seed(seed_below(seed, "virtual TPM", 0));
        let key = RsaPrivateKey::new(&mut random, BITS);
        let key = key.map_err(|source| SimulateError::Rsa {
            who: "virtual TPM",
            source,
        })?;
        Ok(Self { key })
    }

    /// What the paravisor says of it: JSON that names its key.
    pub fn runtime_data(&self) -> String {
        let base64 = |number: &rsa::BigUint| BASE64URL_NOPAD.encode(&number.to_bytes_be());
        let (n, e) = (base64(self.key.n()), base64(self.key.e()));
        format!(
            r#"{{"keys":[{{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"{e}","n":"{n}"}}],"user-data":""}}"#
        )
    }

    /// What it quotes, before it is signed: `TPMS_ATTEST` over these PCRs of the SHA-256 bank, number and value, in their order.
    pub fn quote(nonce: &[u8], pcrs: &[(u8, [u8; 32])]) -> Vec<u8> {
        let mut selection = [0_u8; PCRS as usize / 8];
        for (number, _) in pcrs {
            if let Some(byte) = selection.get_mut(usize::from(number / 8)) {
                *byte |= 1 << (number % 8);
            }
        }
        let values: Vec<[u8; 32]> = pcrs.iter().map(|(_, value)| *value).collect();
        let size = u16::try_from(nonce.len()).unwrap_or(u16::MAX);
        [
            // TPM_GENERATED, TPM_ST_ATTEST_QUOTE, no name of a signer.
            &b"\xFFTCG\x80\x18\0\0"[..],
            &size.to_be_bytes(),
            nonce,
            // Clock, resets, restarts; safe; firmware.
            &[0; 16],
            &[1],
            &[0; 8],
            // One bank, SHA-256, three bytes of selection.
            &[0, 0, 0, 1, 0, 0x0B, 3],
            &selection,
            &[0, 32],
            &sha256(&[values.as_flattened()]),
        ]
        .concat()
    }

    /// Signs a quote by RSASSA with SHA-256.
    pub fn sign(&self, quote: &[u8]) -> Result<Vec<u8>, SimulateError> {
        let digest = Sha256::digest(quote);
        let signed = self.key.sign(Pkcs1v15Sign::new::<Sha256>(), &digest);
        signed.map_err(|source| SimulateError::Rsa {
            who: "virtual TPM",
            source,
        })
    }
}
