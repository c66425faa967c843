//! One answer, as it is receipted: deterministic CBOR with text keys. Unknown keys are refused.

use chrysalis_attestation::encoding::cbor::{self, Fields, Value};

use crate::{
    Rejection,
    fields::{self, classes, number, take_classes},
};

/// The version that this library reads.
pub const VERSION: u64 = 1;
/// The most bytes of a job; one has about 330.
pub const MAX_JOB: usize = 768;

/// The client's random number for a job.
pub type JobNumber = [u8; 16];

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, or at a stop text.
    Stop,
    /// At the request's or the model's limit.
    Length,
    /// The client went away.
    Cancelled,
    /// It broke off.
    Failed,
}

impl End {
    const ALL: [Self; 4] = [Self::Stop, Self::Length, Self::Cancelled, Self::Failed];

    /// As a job has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Which job of its tab it is, from 1.
    pub seq: u64,
    /// The client's number; it salts the commitments.
    pub job: JobNumber,
    /// SHA-256 of the claims: image, configuration, models, weights, receipt key.
    pub claims: [u8; 32],
    /// SHA-256 of the epoch's bundle without endorsements.
    pub evidence: [u8; 32],
    /// `claims.epoch`.
    pub epoch: u64,
    /// SHA-256 of the quote that it was priced by; without payment [`crate::money::unpaid_quote`].
    pub quote: [u8; 32],
    /// Prompt tokens that were read, prompt tokens that were cached, completion tokens, milliseconds of audio.
    pub units: [u64; 4],
    /// Nano, for this job.
    pub amount: u64,
    /// Nano, on this tab with it.
    pub cumulative: u64,
    /// [`crate::chain::request_commitment`].
    pub request: [u8; 32],
    /// [`crate::chain::response_commitment`].
    pub response: [u8; 32],
    /// How it ended.
    pub end: End,
    /// Unix seconds by the guest's clock, which the host may set: a hint.
    pub began: i64,
    /// The same of the end.
    pub ended: i64,
}

impl Job {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        cbor::encode(&cbor::map([
            ("version", number(VERSION)),
            ("seq", number(self.seq)),
            ("job", bytes(&self.job)),
            ("claims", bytes(&self.claims)),
            ("evidence", bytes(&self.evidence)),
            ("epoch", number(self.epoch)),
            ("quote", bytes(&self.quote)),
            ("units", classes(&self.units)),
            ("amount", number(self.amount)),
            ("cumulative", number(self.cumulative)),
            ("request", bytes(&self.request)),
            ("response", bytes(&self.response)),
            ("end", Value::Text(self.end.name().to_owned())),
            ("began", Value::Integer(self.began.into())),
            ("ended", Value::Integer(self.ended.into())),
        ]))
    }

    /// Reads the one encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        let wrong = |what: &str| Rejection::JobMalformed {
            what: what.to_owned(),
        };
        let mut fields = fields::of(bytes, MAX_JOB).map_err(wrong)?;
        if fields.number("version") != Some(VERSION) {
            return Err(wrong("another version"));
        }
        let job = Self::fields(&mut fields)
            .ok_or_else(|| wrong("a field is missing or of the wrong type"))?;
        match fields.left_over() {
            Some(name) => Err(wrong(&format!("`{name}` is unknown"))),
            None => Ok(job),
        }
    }

    fn fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            seq: fields.number("seq")?,
            job: fields.bytes("job")?,
            claims: fields.bytes("claims")?,
            evidence: fields.bytes("evidence")?,
            epoch: fields.number("epoch")?,
            quote: fields.bytes("quote")?,
            units: take_classes(fields, "units")?,
            amount: fields.number("amount")?,
            cumulative: fields.number("cumulative")?,
            request: fields.bytes("request")?,
            response: fields.bytes("response")?,
            end: End::named(&fields.text("end")?)?,
            began: fields.number("began")?,
            ended: fields.number("ended")?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use chrysalis_attestation::encoding::cbor;
    use proptest::prelude::*;

    /// A job with a different value in each field.
    pub(crate) fn job() -> Job {
        Job {
            seq: 1,
            job: [1; 16],
            claims: [2; 32],
            evidence: [3; 32],
            epoch: 4,
            quote: crate::money::unpaid_quote(),
            units: [31, 5, 12, 0],
            amount: 0,
            cumulative: 0,
            request: [6; 32],
            response: [7; 32],
            end: End::Stop,
            began: 1_796_126_400,
            ended: 1_796_126_401,
        }
    }

    /// The job with one field of its map changed, added or, without a value, taken out.
    fn with(name: &str, value: Option<Value>) -> Vec<u8> {
        let Some(Value::Map(mut map)) = cbor::decode(&job().encode()) else {
            unreachable!("a job is a map");
        };
        let name = Value::Text(name.to_owned());
        match value {
            Some(value) => map.insert(name, value),
            None => map.remove(&name),
        };
        cbor::encode(&Value::Map(map))
    }

    fn refused(bytes: &[u8]) -> String {
        match Job::decode(bytes) {
            Err(Rejection::JobMalformed { what }) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn survives_the_trip_within_its_size() {
        let bytes = job().encode();
        assert!(bytes.len() <= 340, "{}", bytes.len());
        assert_eq!(Job::decode(&bytes), Ok(job()));
        let largest = Job {
            seq: u64::MAX,
            epoch: u64::MAX,
            units: [u64::MAX; 4],
            amount: u64::MAX,
            cumulative: u64::MAX,
            end: End::Cancelled,
            began: i64::MIN,
            ended: i64::MAX,
            ..job()
        };
        assert!(largest.encode().len() <= MAX_JOB);
        assert_eq!(Job::decode(&largest.encode()), Ok(largest));
    }

    #[test]
    fn refuses_a_field_more_and_a_field_less() {
        assert_eq!(
            refused(&with("prompt", Some(Value::Null))),
            "`prompt` is unknown"
        );
        assert_eq!(refused(&with("version", None)), "another version");
        for name in [
            "seq",
            "job",
            "claims",
            "evidence",
            "epoch",
            "quote",
            "units",
            "amount",
            "cumulative",
            "request",
            "response",
            "end",
            "began",
            "ended",
        ] {
            let missing = "a field is missing or of the wrong type";
            assert_eq!(refused(&with(name, None)), missing, "{name}");
            assert_eq!(refused(&with(name, Some(Value::Null))), missing, "{name}");
        }
    }

    #[test]
    fn refuses_values_out_of_range() {
        let integers = |count: usize| Value::Array(vec![Value::Integer(0); count]);
        for (name, value) in [
            ("version", Value::Integer(2)),
            ("seq", Value::Integer(-1)),
            ("job", Value::Bytes(vec![0; 15])),
            ("units", integers(3)),
            ("units", integers(5)),
            ("end", Value::Text("paused".to_owned())),
        ] {
            assert!(
                Job::decode(&with(name, Some(value.clone()))).is_err(),
                "{name} {value:?}"
            );
        }
        assert_eq!(refused(&vec![0; MAX_JOB + 1]), "it is too long");
        assert_eq!(refused(&[0x01]), "not a map");
    }

    proptest! {
        #[test]
        fn other_bytes_are_another_job_or_none(at in 0..330_usize, bit in 0..8_u8) {
            let mut bytes = job().encode();
            let length = bytes.len();
            bytes[at % length] ^= 1 << bit;
            prop_assert_ne!(Job::decode(&bytes), Ok(job()));
        }
    }
}
