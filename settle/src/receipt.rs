//! What an answer carries: a job, and the enclave's signature on the tab with it.

use chrysalis_attestation::encoding::base64;
use data_encoding::BASE64URL_NOPAD;

use crate::{
    Job, MAX_JOB, Rejection,
    fields::{read_signed, signed},
};

/// The most bytes of a receipt; one has about 412.
pub const MAX_RECEIPT: usize = MAX_JOB + 96;
/// The most letters of its text.
const MAX_TEXT: usize = MAX_RECEIPT.div_ceil(3) * 4;

/// A job and the signature on its tab's new statement. Untrusted until a [`crate::Tab`] has accepted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The job, encoded.
    pub job: Vec<u8>,
    /// Ed25519 by the receipt key.
    pub signature: [u8; 64],
}

impl Receipt {
    /// Deterministic CBOR of `{job: bytes, signature: bytes 64}`.
    pub fn encode(&self) -> Vec<u8> {
        signed("job", &self.job, &self.signature)
    }

    /// Reads the one encoding. The job in it is checked as well.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Job), Rejection> {
        let (job, signature) = read_signed(bytes, MAX_RECEIPT, ("job", "no job"))
            .map_err(|what| Rejection::ReceiptMalformed { what })?;
        let receipt = Self { job, signature };
        let job = Job::decode(&receipt.job)?;
        Ok((receipt, job))
    }

    /// As a header or an event carries it: base64url without padding.
    pub fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.encode())
    }

    /// Reads that text.
    pub fn from_text(text: &str) -> Result<(Self, Job), Rejection> {
        let bytes = Some(text)
            .filter(|text| text.len() <= MAX_TEXT)
            .and_then(base64::decode_url_unpadded)
            .ok_or(Rejection::ReceiptMalformed {
                what: "not base64url without padding",
            })?;
        Self::decode(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use chrysalis_attestation::encoding::cbor::{self, Value};

    use super::*;
    use crate::job::tests::job;

    #[test]
    fn survives_the_trip_within_its_size() {
        let receipt = Receipt {
            job: job().encode(),
            signature: [8; 64],
        };
        assert!(receipt.encode().len() <= 420, "{}", receipt.encode().len());
        let read = Ok((receipt.clone(), job()));
        assert_eq!(Receipt::decode(&receipt.encode()), read);
        assert_eq!(Receipt::from_text(&receipt.to_text()), read);
    }

    #[test]
    fn refuses_what_is_not_one() {
        let what = |bytes: &[u8]| match Receipt::decode(bytes) {
            Err(Rejection::ReceiptMalformed { what }) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(what(&[]), "not deterministic");
        assert_eq!(what(&[0x01]), "not a map");
        assert_eq!(what(&[0xA0]), "no job");
        assert_eq!(what(&vec![0; MAX_RECEIPT + 1]), "it is too long");
        let map = |fields: Vec<(&str, usize)>| {
            let fields = fields.into_iter().map(|(name, length)| {
                (Value::Text(name.to_owned()), Value::Bytes(vec![0; length]))
            });
            cbor::encode(&Value::Map(fields.collect()))
        };
        let short = map(vec![("job", 9), ("signature", 63)]);
        assert_eq!(what(&short), "no signature of 64 bytes");
        let more = map(vec![("job", 9), ("signature", 64), ("note", 1)]);
        assert_eq!(what(&more), "an unknown field");
        let other = map(vec![("job", 9), ("signature", 64)]);
        assert_eq!(Receipt::decode(&other).unwrap_err().code(), "job_malformed");
        for text in ["é", "ab==", &"A".repeat(MAX_TEXT + 1)] {
            assert_eq!(
                Receipt::from_text(text),
                Err(Rejection::ReceiptMalformed {
                    what: "not base64url without padding"
                })
            );
        }
    }
}
