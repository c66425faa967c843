//! The quote of Azure's virtual TPM: how a guest can prove something where it cannot choose `REPORT_DATA`.
//!
//! The paravisor had the report cover a key of the virtual TPM; that key signs the PCRs and a nonce. Trusts the runtime data, so the
//! caller must have checked them against the report, and must use the result only if the report is genuine.

mod key;
mod quote;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use quote::{MAX_NONCE, PCR_COUNT, Quote};

use crate::{
    Rejection,
    encoding::digest::sha256,
    transcript::{Inspection, ensure},
};
use key::Key;

/// How a `TPMT_SIGNATURE` begins: RSASSA, SHA-256. (TPM 2.0 Library, part 2, §11.3.4.)
const RSASSA_SHA256: [u8; 4] = [0x00, 0x14, 0x00, 0x0B];

/// A quote as received, and what to check it against.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quoted<'a> {
    /// The `TPMS_ATTEST` that was signed.
    pub quote: &'a [u8],
    /// The signature: bare, or in a `TPMT_SIGNATURE`, as TPM tools write it.
    pub signature: &'a [u8],
    /// The values of the quoted PCRs, in the order of their numbers.
    pub pcrs: Option<&'a [[u8; 32]]>,
    /// The nonce that the virtual TPM was asked with. Without it, nothing shows that the quote is fresh.
    pub nonce: Option<&'a [u8]>,
    /// Accepts the absence of the PCRs' values, for this reason.
    pub pcrs_unchecked: Option<&'a str>,
}

/// What the virtual TPM said, with its signature verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Told {
    /// The quote.
    pub quote: Quote,
    /// The PCRs' values, by number, if they were given; they are then the quoted ones.
    pub pcrs: Option<BTreeMap<u8, [u8; 32]>>,
    /// Whether it answers what the caller asked.
    pub fresh: bool,
}

impl Told {
    /// What it says, for programs.
    pub(crate) fn claims(&self) -> Value {
        let quote = &self.quote;
        let pcrs = self.pcrs.as_ref().map(|pcrs| {
            let values = pcrs.iter();
            let values =
                values.map(|(index, value)| (index.to_string(), hex::encode(value).into()));
            values.collect::<Map<String, Value>>()
        });
        json!({
            "nonce": hex::encode(&quote.nonce),
            "pcrs": pcrs,
            "clock": quote.clock,
            "resets": quote.resets,
            "restarts": quote.restarts,
            "safe": quote.safe,
            "firmware": format!("{:#x}", quote.firmware),
        })
    }

    /// The value of a PCR.
    pub(super) fn pcr(&self, index: u8) -> Option<[u8; 32]> {
        self.pcrs.as_ref()?.get(&index).copied()
    }
}

/// Steps hcl-3 to hcl-7 of docs/spec/verification.md. Without a quote, records that there is none.
pub(crate) fn inspect(
    runtime_data: &[u8],
    quoted: Option<&Quoted<'_>>,
    inspection: &mut Inspection,
) -> Option<Told> {
    let Some(quoted) = quoted else {
        inspection.skip(("hcl-3", "vTPM quote"), "no quote came with the report");
        return None;
    };
    let key = inspection.check(
        ("hcl-3", "vTPM key"),
        || Key::parse(runtime_data),
        ToString::to_string,
    );
    let quote = inspection.check(
        ("hcl-4", "vTPM quote"),
        || Quote::parse(quoted.quote),
        |quote| format!("of {} PCRs", quote.selection.len()),
    );
    let quote = quote.ok()?;
    if let Ok(key) = key {
        inspection.note(
            ("hcl-5", "vTPM signature"),
            || key.verify(quoted.quote, bare(quoted.signature)),
            |()| "RSASSA-PKCS1-v1_5".to_owned(),
        );
    }
    let fresh = nonce(&quote, quoted.nonce, inspection);
    let pcrs = pcrs(&quote, quoted, inspection);
    Some(Told { quote, pcrs, fresh })
}

/// The signature without the structure that says how long it is.
fn bare(signature: &[u8]) -> &[u8] {
    signature
        .strip_prefix(&RSASSA_SHA256)
        .and_then(<[u8]>::split_first_chunk)
        .filter(|(size, rest)| usize::from(u16::from_be_bytes(**size)) == rest.len())
        .map_or(signature, |(_, rest)| rest)
}

fn nonce(quote: &Quote, expected: Option<&[u8]>, inspection: &mut Inspection) -> bool {
    let check = ("hcl-6", "vTPM nonce");
    let Some(expected) = expected else {
        inspection.skip(check, "the nonce is not known");
        return false;
    };
    let found = hex::encode(&quote.nonce);
    let otherwise = || Rejection::VtpmNonceMismatch {
        found: found.clone(),
    };
    let made = inspection.check(
        check,
        || ensure(quote.nonce == expected, otherwise),
        |()| found.clone(),
    );
    made.is_ok()
}

fn pcrs(
    quote: &Quote,
    quoted: &Quoted<'_>,
    inspection: &mut Inspection,
) -> Option<BTreeMap<u8, [u8; 32]>> {
    let check = ("hcl-7", "vTPM PCRs");
    if let (None, Some(why)) = (quoted.pcrs, quoted.pcrs_unchecked) {
        inspection.skip(check, why);
        return None;
    }
    let pcrs = inspection.check(
        check,
        || {
            let values = quoted.pcrs.ok_or(Rejection::VtpmPcrsMissing)?;
            let pcrs = quote.assign(values)?;
            ensure(sha256(&[values.as_flattened()]) == quote.digest, || {
                Rejection::VtpmPcrDigest
            })?;
            Ok(pcrs)
        },
        |pcrs| format!("{} values, as quoted", pcrs.len()),
    );
    pcrs.ok()
}
