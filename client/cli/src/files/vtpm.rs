//! The quote of Azure's virtual TPM, from the files that people have of it: a TPM tool's, or the JSON of Azure's guests.

use std::path::PathBuf;

use anyhow::{Context, bail};
use chrysalis_attestation::azure::vtpm::{MAX_NONCE, Quoted};
use clap::Args;
use serde_json::Value;

use super::{
    input::{MAX_EVIDENCE, read, read_for},
    kind::{Kind, decoded_blindly},
    place::Place,
};

/// JSON with numbers for bytes has 36 KiB; read, it takes up to twenty times the room.
const MAX_JSON: usize = 256 * 1024;
/// Where the quote stands in the JSON of Azure's guests: by itself, or in the evidence of a whole guest.
const PLACES: [&str; 4] = ["", "/quote", "/tpm_quote", "/evidence/tpm_quote"];
const WITHOUT_PCRS: &str = "--without pcrs";

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

/// A quote and what came with it.
pub(super) struct Files {
    quote: Vec<u8>,
    signature: Vec<u8>,
    pcrs: Option<Vec<[u8; 32]>>,
}

impl Files {
    /// Reads what the command line names, if it names a quote.
    pub(super) fn read(arguments: &TpmArguments) -> anyhow::Result<Option<Self>> {
        let Some(path) = &arguments.tpm_quote else {
            return Ok(None);
        };
        let quote = read_for(Place::TPM_QUOTE, path, MAX_EVIDENCE)?;
        let (signature, pcrs) = (&arguments.tpm_signature, &arguments.tpm_pcrs);
        if Kind::of(&quote) == Kind::TpmJson {
            if signature.is_some() || pcrs.is_some() {
                bail!(
                    "the JSON of a quote brings signature and PCRs: leave --tpm-signature and --tpm-pcrs out"
                );
            }
            return from_json(&quote)
                .with_context(|| format!("cannot read the quote in {}", path.display()))
                .map(Some);
        }
        let read_values = |path: &PathBuf| {
            values(&decoded_blindly(&read(path, MAX_EVIDENCE)?))
                .with_context(|| format!("{} has no PCRs", path.display()))
        };
        let Some(signature) = signature else {
            bail!(
                "{} brings no signature, and a quote needs one: give --tpm-signature, or the quote as JSON",
                path.display()
            );
        };
        Ok(Some(Self {
            quote,
            // Whatever its bytes look like: they are random.
            signature: decoded_blindly(&read(signature, MAX_EVIDENCE)?),
            pcrs: pcrs.as_ref().map(read_values).transpose()?,
        }))
    }

    /// The question about it.
    pub(super) fn quoted<'a>(
        &'a self,
        arguments: &'a TpmArguments,
        without_pcrs: bool,
    ) -> Quoted<'a> {
        Quoted {
            quote: &self.quote,
            signature: &self.signature,
            pcrs: self.pcrs.as_deref(),
            nonce: arguments.tpm_nonce.as_ref().map(|nonce| nonce.0.as_slice()),
            pcrs_unchecked: without_pcrs.then_some(WITHOUT_PCRS),
        }
    }
}

fn values(bytes: &[u8]) -> anyhow::Result<Vec<[u8; 32]>> {
    match bytes.as_chunks() {
        (values @ [_, ..], []) => Ok(values.to_vec()),
        _ => bail!("values of the SHA-256 bank have 32 bytes each, one after the other"),
    }
}

fn from_json(text: &[u8]) -> anyhow::Result<Files> {
    if text.len() > MAX_JSON {
        bail!("it has more than {MAX_JSON} bytes");
    }
    let value: Value = serde_json::from_slice(text)?;
    let quote = PLACES
        .iter()
        .filter_map(|place| value.pointer(place))
        .find(|quote| quote.get("message").is_some())
        .context("there is no `message` in it, in `quote` or in `tpm_quote`")?;
    let field = |name| {
        let bytes = quote.get(name).and_then(bytes);
        bytes.with_context(|| format!("`{name}` is neither hex nor a list of bytes"))
    };
    let pcrs = quote.get("pcrs").map(|pcrs| {
        let values = pcrs
            .as_array()?
            .iter()
            .map(bytes)
            .collect::<Option<Vec<_>>>();
        let values = values?.into_iter().map(<[u8; 32]>::try_from);
        values.collect::<Result<Vec<_>, _>>().ok()
    });
    Ok(Files {
        quote: field("message")?,
        signature: field("signature")?,
        pcrs: pcrs
            .map(|pcrs| pcrs.context("`pcrs` is no list of values of 32 bytes"))
            .transpose()?,
    })
}

/// Hex, or a list of numbers.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => hex::decode(text).ok(),
        Value::Array(numbers) => numbers
            .iter()
            .map(|number| u8::try_from(number.as_u64()?).ok())
            .collect(),
        _ => None,
    }
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

    fn refusal(text: &str) -> String {
        let refused = from_json(text.as_bytes()).err();
        refused.expect("it must be refused").to_string()
    }

    #[test]
    fn reads_a_quote_wherever_it_stands_in_json() {
        let pcr = "07".repeat(32);
        let quote = format!(r#"{{"message":"0a0b","signature":[12,13],"pcrs":["{pcr}"]}}"#);
        for text in [
            quote.clone(),
            format!(r#"{{"quote":{quote}}}"#),
            format!(r#"{{"version":1,"tpm_quote":{quote}}}"#),
            format!(r#"{{"evidence":{{"tpm_quote":{quote}}}}}"#),
        ] {
            let files = from_json(text.as_bytes()).expect("a quote");
            assert_eq!((files.quote, files.signature), (vec![10, 11], vec![12, 13]));
            assert_eq!(files.pcrs, Some(vec![[7; 32]]));
        }
        let bare = from_json(br#"{"message":"","signature":""}"#).expect("a quote");
        assert_eq!(bare.pcrs, None);
    }

    #[test]
    fn json_that_is_no_quote_is_told_apart() {
        assert!(refusal("{}").starts_with("there is no `message`"));
        let wrong = "`signature` is neither hex nor a list of bytes";
        assert_eq!(refusal(r#"{"message":""}"#), wrong);
        assert_eq!(refusal(r#"{"message":"","signature":"0"}"#), wrong);
        assert_eq!(refusal(r#"{"message":"","signature":[256]}"#), wrong);
        assert_eq!(
            refusal(r#"{"message":"","signature":"","pcrs":["00"]}"#),
            "`pcrs` is no list of values of 32 bytes"
        );
        assert!(refusal(&" ".repeat(MAX_JSON + 1)).starts_with("it has more than"));
    }

    #[test]
    fn values_of_pcrs_stand_one_after_the_other() {
        assert_eq!(values(&[5; 64]).expect("two"), [[5; 32]; 2]);
        for length in [0, 31, 33] {
            assert!(values(&vec![5; length]).is_err(), "{length}");
        }
    }
}
