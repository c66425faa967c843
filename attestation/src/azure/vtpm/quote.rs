//! What a TPM signed: a `TPMS_ATTEST` of type quote. (TPM 2.0 Library, part 2, §10.12.)
//!
//! Trusts nothing: sizes are bounded before anything is taken, and no byte is ignored. Integers are big-endian.

use std::collections::BTreeMap;

use crate::{Rejection, encoding::reader::Reader};

/// `TPM_GENERATED_VALUE`: the start of data made by the TPM itself; its restricted keys sign no outside data that begins this way.
const GENERATED: u32 = 0xFF54_4347;
/// `TPM_ST_ATTEST_QUOTE`.
const QUOTE: u16 = 0x8018;
/// `TPM_ALG_SHA256`.
const SHA256: u16 = 0x000B;
/// The longest name of a key: an algorithm and a SHA-512.
const MAX_NAME: usize = 66;
/// The maximum nonce that a caller may have quoted: `TPM2B_DATA` holds as much as a name.
pub const MAX_NONCE: usize = 66;
/// The number of PCRs of a PC's TPM.
pub const PCR_COUNT: u8 = 24;
/// The bitmap of [`PCR_COUNT`].
const SELECTION_SIZE: u8 = 3;

/// A quote. Nothing in it may be trusted before its signature is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// `extraData`: the caller's nonce.
    pub nonce: Vec<u8>,
    /// `clock`: milliseconds that the TPM has run.
    pub clock: u64,
    /// `resetCount`: how often it was reset.
    pub resets: u32,
    /// `restartCount`: how often it was resumed since then.
    pub restarts: u32,
    /// `safe`: no later clock value was ever reported.
    pub safe: bool,
    /// `firmwareVersion`, in its vendor's numbering.
    pub firmware: u64,
    /// `pcrSelect`: the PCRs of the SHA-256 bank that were quoted, in order.
    pub selection: Vec<u8>,
    /// `pcrDigest`: SHA-256 of their values, one after the other.
    pub digest: [u8; 32],
}

impl Quote {
    /// Reads a `TPMS_ATTEST`, which ends with the last byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let mut reader = Reader::new(bytes, malformed("it ends too early"));
        if u32::from_be_bytes(reader.array()?) != GENERATED {
            return Err(malformed("it does not begin like data made by a TPM"));
        }
        if u16::from_be_bytes(reader.array()?) != QUOTE {
            return Err(malformed("it attests to something other than PCRs"));
        }
        // The name of the signing key, for readers that know the TPM's hierarchy. Here the report names the key.
        sized(&mut reader, MAX_NAME)?;
        let nonce = sized(&mut reader, MAX_NONCE)?.to_vec();
        let clock = u64::from_be_bytes(reader.array()?);
        let resets = u32::from_be_bytes(reader.array()?);
        let restarts = u32::from_be_bytes(reader.array()?);
        let safe = match reader.array()? {
            [0] => false,
            [1] => true,
            _ => return Err(malformed("its clock is neither safe nor unsafe")),
        };
        let firmware = u64::from_be_bytes(reader.array()?);
        let selection = selection(&mut reader)?;
        let digest = sized(&mut reader, 32)?;
        let digest = digest
            .try_into()
            .map_err(|_| malformed("its digest is not a SHA-256"))?;
        if !reader.rest().is_empty() {
            return Err(malformed("bytes follow its digest"));
        }
        Ok(Self {
            nonce,
            clock,
            resets,
            restarts,
            safe,
            firmware,
            selection,
            digest,
        })
    }

    /// Which PCR has which value. The values are in the order of the selection.
    pub(super) fn assign(&self, values: &[[u8; 32]]) -> Result<BTreeMap<u8, [u8; 32]>, Rejection> {
        if values.len() != self.selection.len() {
            return Err(Rejection::VtpmPcrCount {
                found: values.len(),
                quoted: self.selection.len(),
            });
        }
        let pairs = self.selection.iter().copied().zip(values.iter().copied());
        Ok(pairs.collect())
    }
}

fn malformed(what: &'static str) -> Rejection {
    Rejection::VtpmQuoteMalformed { what }
}

/// A `TPM2B`: its size in two bytes, then its bytes.
fn sized<'a>(reader: &mut Reader<'a>, most: usize) -> Result<&'a [u8], Rejection> {
    let size = usize::from(u16::from_be_bytes(reader.array()?));
    if size > most {
        return Err(malformed("a field is longer than a TPM's"));
    }
    reader.take(size)
}

/// A `TPML_PCR_SELECTION` of one bank, SHA-256: Azure's tools quote no other.
fn selection(reader: &mut Reader<'_>) -> Result<Vec<u8>, Rejection> {
    let banks = u32::from_be_bytes(reader.array()?);
    let bank = u16::from_be_bytes(reader.array()?);
    if banks != 1 || bank != SHA256 {
        return Err(malformed("its PCRs are not those of the SHA-256 bank"));
    }
    let [size, bitmap @ ..] = reader.array::<4>()?;
    if size != SELECTION_SIZE {
        return Err(malformed("it selects among more or fewer than 24 PCRs"));
    }
    let [low, middle, high] = bitmap;
    let bits = u32::from_le_bytes([low, middle, high, 0]);
    let selection: Vec<u8> = (0..PCR_COUNT)
        .filter(|index| bits >> index & 1 == 1)
        .collect();
    if selection.is_empty() {
        return Err(malformed("it quotes no PCR"));
    }
    Ok(selection)
}
