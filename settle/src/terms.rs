//! What an enclave says of a tab when its client asks: where it stands, and what answers cost.

use chrysalis_attestation::encoding::cbor::{self, Fields, Value};

use crate::{
    Job, MAX_RECEIPT, Receipt,
    fields::number,
    money::{MAX_QUOTE, Quote},
};

/// The most quotes: one for each model.
pub const MAX_QUOTES: usize = 64;
/// The most receipts before the last.
pub const MAX_BEFORE: usize = 7;
/// The most bytes of it.
pub const MAX_TERMS: usize =
    MAX_QUOTES * (MAX_QUOTE + 8) + (MAX_BEFORE + 1) * (MAX_RECEIPT + 8) + 128;

/// The answer of `POST /v1/tab`. It comes over attested TLS, and nothing in it but the receipts is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The tab's last receipt.
    pub last: Option<Receipt>,
    /// Those before it, the oldest first, at most [`MAX_BEFORE`].
    pub before: Vec<Receipt>,
    /// The head of the tab's chain after the last job.
    pub head: [u8; 32],
    /// What each model's answers cost; none without payment.
    pub quotes: Vec<Quote>,
    /// The most nano that all tabs of the lane may owe here together; 0 without payment.
    pub ceiling: u64,
}

impl Terms {
    /// Deterministic CBOR of `{last, before, head, quotes, ceiling}`.
    pub fn encode(&self) -> Vec<u8> {
        let last = self.last.as_ref().map(Receipt::encode);
        let before = self.before.iter().map(|it| Value::Bytes(it.encode()));
        let quotes = self.quotes.iter().map(|it| Value::Bytes(it.encode()));
        cbor::encode(&cbor::map([
            ("last", last.map_or(Value::Null, Value::Bytes)),
            ("before", Value::Array(before.collect())),
            ("head", Value::Bytes(self.head.to_vec())),
            ("quotes", Value::Array(quotes.collect())),
            ("ceiling", number(self.ceiling)),
        ]))
    }

    /// Reads the one encoding, and the receipts' jobs with it, the last one's last.
    pub fn decode(bytes: &[u8]) -> Option<(Self, Vec<Job>)> {
        let value = Some(bytes)
            .filter(|bytes| bytes.len() <= MAX_TERMS)
            .and_then(cbor::decode)?;
        let mut fields = Fields::of(value)?;
        let mut jobs = Vec::new();
        let mut receipt = |bytes: &[u8]| {
            let (receipt, job) = Receipt::decode(bytes).ok()?;
            jobs.push(job);
            Some(receipt)
        };
        let before = list(&mut fields, "before", MAX_BEFORE)?;
        let before = before
            .iter()
            .map(|bytes| receipt(bytes))
            .collect::<Option<_>>()?;
        let last = match fields.take("last")? {
            Value::Null => None,
            Value::Bytes(last) => Some(receipt(&last)?),
            _ => return None,
        };
        let quotes = list(&mut fields, "quotes", MAX_QUOTES)?;
        let quotes = quotes.iter().map(|quote| Quote::decode(quote));
        let terms = Self {
            last,
            before,
            head: fields.bytes("head")?,
            quotes: quotes.collect::<Option<_>>()?,
            ceiling: fields.number("ceiling")?,
        };
        let is_odd = terms.last.is_none() && !terms.before.is_empty();
        (fields.left_over().is_none() && !is_odd).then_some((terms, jobs))
    }
}

fn list(fields: &mut Fields, name: &str, most: usize) -> Option<Vec<Vec<u8>>> {
    let items = cbor::array(fields.take(name)?)?;
    if items.len() > most {
        return None;
    }
    items.into_iter().map(cbor::bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{End, VERSION};

    fn quote() -> Quote {
        Quote {
            model: "m".to_owned(),
            weights: [4; 32],
            price: [1, 2, 3, 4],
            floor: 1,
            epoch: 7,
            until: 9,
        }
    }

    fn job(seq: u64) -> Job {
        assert_eq!(VERSION, 1);
        Job {
            seq,
            job: [1; 16],
            claims: [2; 32],
            evidence: [3; 32],
            epoch: 4,
            quote: [5; 32],
            units: [1, 0, 2, 0],
            amount: 6,
            cumulative: 6 * seq,
            request: [7; 32],
            response: [8; 32],
            end: End::Stop,
            began: 9,
            ended: 10,
        }
    }

    fn receipt(seq: u64) -> Receipt {
        Receipt {
            job: job(seq).encode(),
            signature: [9; 64],
        }
    }

    fn new() -> Terms {
        Terms {
            last: None,
            before: Vec::new(),
            head: [1; 32],
            quotes: Vec::new(),
            ceiling: 0,
        }
    }

    #[test]
    fn terms_survive_the_trip_and_nothing_else_does() {
        let paid = Terms {
            last: Some(receipt(3)),
            before: vec![receipt(1), receipt(2)],
            quotes: vec![quote(), quote()],
            ceiling: u64::MAX,
            ..new()
        };
        let jobs = vec![job(1), job(2), job(3)];
        for (terms, jobs) in [(new(), Vec::new()), (paid, jobs)] {
            let bytes = terms.encode();
            assert_eq!(Terms::decode(&bytes), Some((terms, jobs)));
            for length in 0..bytes.len() {
                assert_eq!(Terms::decode(&bytes[..length]), None);
            }
        }
        assert_eq!(Terms::decode(&vec![0; MAX_TERMS + 1]), None);
    }

    #[test]
    fn there_are_not_too_many_of_anything_and_none_before_none() {
        for wrong in [
            Terms {
                before: vec![receipt(1)],
                ..new()
            },
            Terms {
                last: Some(receipt(9)),
                before: vec![receipt(1); MAX_BEFORE + 1],
                ..new()
            },
            Terms {
                quotes: vec![quote(); MAX_QUOTES + 1],
                ..new()
            },
        ] {
            assert_eq!(Terms::decode(&wrong.encode()), None);
        }
        let most = Terms {
            last: Some(receipt(9)),
            before: vec![receipt(1); MAX_BEFORE],
            quotes: vec![quote(); MAX_QUOTES],
            ..new()
        };
        assert!(Terms::decode(&most.encode()).is_some());
    }
}
