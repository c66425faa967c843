//! The quote of Azure's virtual TPM, from the files that people have of it: a TPM tool's, or the JSON of Azure's guests.

use chrysalis_attestation::azure::vtpm::Quoted;
use serde_json::Value;

use crate::{
    Kind, Misuse, Place,
    kind::decoded_blindly,
    misuse::misuse,
    without::{Without, why},
};

/// JSON with numbers for bytes has 36 KiB; read, it takes up to twenty times the room.
const MAX_JSON: usize = 256 * 1024;
/// Where the quote stands in the JSON of Azure's guests: by itself, or in the evidence of a whole guest.
const PLACES: [&str; 4] = ["", "/quote", "/tpm_quote", "/evidence/tpm_quote"];

/// A quote, what came with it, and what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmQuote {
    quote: Vec<u8>,
    signature: Vec<u8>,
    pcrs: Option<Vec<[u8; 32]>>,
    nonce: Option<Vec<u8>>,
    pcrs_unchecked: Option<String>,
}

impl TpmQuote {
    /// Reads a quote, the file of this name, with its signature and the values of its PCRs, unless it is JSON that has them.
    pub fn read(
        name: &str,
        quote: &[u8],
        signature: Option<&[u8]>,
        pcrs: Option<(&str, &[u8])>,
    ) -> Result<Self, Misuse> {
        let quote = Place::TPM_QUOTE.take(name, quote)?;
        if Kind::of(&quote) == Kind::TpmJson {
            if signature.is_some() || pcrs.is_some() {
                misuse!(
                    "the JSON of a quote brings signature and PCRs: leave --tpm-signature and --tpm-pcrs out"
                );
            }
            return from_json(&quote)
                .map_err(|why| Misuse::new(format!("cannot read the quote in {name}: {why}")));
        }
        let Some(signature) = signature else {
            misuse!(
                "{name} brings no signature, and a quote needs one: give --tpm-signature, or the quote as JSON"
            );
        };
        let read_values = |(name, bytes): (&str, &[u8])| {
            values(&decoded_blindly(bytes))
                .map_err(|why| Misuse::new(format!("{name} has no PCRs: {why}")))
        };
        Ok(Self {
            // Whatever its bytes look like: they are random.
            signature: decoded_blindly(signature),
            pcrs: pcrs.map(read_values).transpose()?,
            ..Self::of(quote)
        })
    }

    /// With what the virtual TPM was asked.
    #[must_use]
    pub fn asked(mut self, nonce: Option<Vec<u8>>) -> Self {
        self.nonce = nonce;
        self
    }

    /// Without the values of its PCRs, if they are waived.
    #[must_use]
    pub fn waiving(mut self, without: &[Without]) -> Self {
        self.pcrs_unchecked = why(without, Without::Pcrs);
        self
    }

    /// The question about it.
    pub(crate) fn quoted(&self) -> Quoted<'_> {
        Quoted {
            quote: &self.quote,
            signature: &self.signature,
            pcrs: self.pcrs.as_deref(),
            nonce: self.nonce.as_deref(),
            pcrs_unchecked: self.pcrs_unchecked.as_deref(),
        }
    }

    fn of(quote: Vec<u8>) -> Self {
        Self {
            quote,
            signature: Vec::new(),
            pcrs: None,
            nonce: None,
            pcrs_unchecked: None,
        }
    }
}

fn values(bytes: &[u8]) -> Result<Vec<[u8; 32]>, Misuse> {
    match bytes.as_chunks() {
        (values @ [_, ..], []) => Ok(values.to_vec()),
        _ => misuse!("values of the SHA-256 bank have 32 bytes each, one after the other"),
    }
}

fn from_json(text: &[u8]) -> Result<TpmQuote, Misuse> {
    if text.len() > MAX_JSON {
        misuse!("it has more than {MAX_JSON} bytes");
    }
    let value: Value = serde_json::from_slice(text).map_err(|why| Misuse::new(why.to_string()))?;
    let quote = PLACES
        .iter()
        .filter_map(|place| value.pointer(place))
        .find(|quote| quote.get("message").is_some())
        .ok_or_else(|| Misuse::new("there is no `message` in it, in `quote` or in `tpm_quote`"))?;
    let field = |name| {
        let bytes = quote.get(name).and_then(bytes);
        bytes.ok_or_else(|| Misuse::new(format!("`{name}` is neither hex nor a list of bytes")))
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
    let pcrs =
        pcrs.map(|pcrs| pcrs.ok_or_else(|| Misuse::new("`pcrs` is no list of values of 32 bytes")));
    Ok(TpmQuote {
        signature: field("signature")?,
        pcrs: pcrs.transpose()?,
        ..TpmQuote::of(field("message")?)
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

#[cfg(test)]
mod tests {
    use super::*;

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
