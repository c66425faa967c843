//! What the command line says about the quote of Azure's virtual TPM.

use std::path::PathBuf;

use chrysalis_attestation::azure::vtpm::MAX_NONCE;
use chrysalis_verifier::{MAX_EVIDENCE, TpmQuote, Without};
use clap::Args;

use super::input::read;

/// The quote of Azure's virtual TPM, next to the evidence whose HCL report names its key.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_field_names,
    reason = "the options are named after them"
)]
pub(crate) struct TpmArguments {
    /// The quote of Azure's virtual TPM, whose key the HCL report covers: its message (`TPMS_ATTEST`), or the JSON of Azure's guests
    #[arg(long, value_name = "FILE")]
    pub(crate) tpm_quote: Option<PathBuf>,
    /// The quote's signature, bare or as TPM tools write it; JSON has its own
    #[arg(long, value_name = "FILE", requires = "tpm_quote")]
    pub(crate) tpm_signature: Option<PathBuf>,
    /// Values of the quoted PCRs (SHA-256), one after the other in their order, as bytes or hex; JSON has its own
    #[arg(long, value_name = "FILE", requires = "tpm_quote")]
    pub(crate) tpm_pcrs: Option<PathBuf>,
    /// What the virtual TPM was asked: up to 66 bytes in hex
    #[arg(long, value_name = "HEX", requires = "tpm_quote", value_parser = tpm_nonce)]
    pub(crate) tpm_nonce: Option<TpmNonce>,
}

/// What a virtual TPM is asked with: as many bytes as it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TpmNonce(pub(crate) Vec<u8>);

/// Reads the quote that the command line names, if it names one.
pub(super) fn read_quote(
    arguments: &TpmArguments,
    without: &[Without],
) -> anyhow::Result<Option<TpmQuote>> {
    let Some(path) = &arguments.tpm_quote else {
        return Ok(None);
    };
    let quote = read(path, MAX_EVIDENCE)?;
    let beside = |path: &Option<PathBuf>| {
        let read = path.as_ref().map(|path| read(path, MAX_EVIDENCE));
        read.transpose()
    };
    let (signature, pcrs) = (
        beside(&arguments.tpm_signature)?,
        beside(&arguments.tpm_pcrs)?,
    );
    let pcrs_name = arguments.tpm_pcrs.as_ref();
    let pcrs_name = pcrs_name.map(|path| path.display().to_string());
    let quote = TpmQuote::read(
        &path.display().to_string(),
        &quote,
        signature.as_deref(),
        pcrs_name.as_deref().zip(pcrs.as_deref()),
    )?;
    let nonce = arguments.tpm_nonce.as_ref().map(|nonce| nonce.0.clone());
    Ok(Some(quote.asked(nonce).waiving(without)))
}

fn tpm_nonce(text: &str) -> Result<TpmNonce, String> {
    let nonce = hex::decode(text).map_err(|_| "write it as hex digits".to_owned())?;
    if nonce.is_empty() || nonce.len() > MAX_NONCE {
        return Err(format!("it has from 1 to {MAX_NONCE} bytes"));
    }
    Ok(TpmNonce(nonce))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_tpm_was_asked_as_hex() {
        assert_eq!(tpm_nonce("0a0B"), Ok(TpmNonce(vec![10, 11])));
        for wrong in ["", "0", "xy", &"00".repeat(MAX_NONCE + 1)] {
            assert!(tpm_nonce(wrong).is_err(), "{wrong}");
        }
    }
}
