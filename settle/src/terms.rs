//! What an enclave says of a tab when its client asks: where it stands, and what answers cost.

use chrysalis_attestation::encoding::cbor::{self, Fields, Value};

use crate::{
    Job, MAX_RECEIPT, Receipt,
    fields::number,
    money::{MAX_QUOTE, Quote},
};

/// The most quotes: one for each model.
pub const MAX_QUOTES: usize = 64;
/// The most bytes of it.
pub const MAX_TERMS: usize = MAX_QUOTES * (MAX_QUOTE + 8) + MAX_RECEIPT + 128;

/// The answer of `POST /v1/tab`. It comes over attested TLS, and nothing in it but the receipt is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The tab's last receipt, and the head of its chain before that job.
    pub last: Option<(Receipt, [u8; 32])>,
    /// What each model's answers cost; none where nobody pays.
    pub quotes: Vec<Quote>,
    /// The most nano that the tab's lane may owe here in all; 0 where nobody pays.
    pub ceiling: u64,
}

impl Terms {
    /// Deterministic CBOR of `{last, before, quotes, ceiling}`.
    pub fn encode(&self) -> Vec<u8> {
        let (last, before) = match &self.last {
            None => (Value::Null, Value::Null),
            Some((receipt, before)) => (
                Value::Bytes(receipt.encode()),
                Value::Bytes(before.to_vec()),
            ),
        };
        let quotes = self.quotes.iter().map(|it| Value::Bytes(it.encode()));
        cbor::encode(&cbor::map([
            ("last", last),
            ("before", before),
            ("quotes", Value::Array(quotes.collect())),
            ("ceiling", number(self.ceiling)),
        ]))
    }

    /// Reads the one encoding, and the last receipt's job with it.
    pub fn decode(bytes: &[u8]) -> Option<(Self, Option<Job>)> {
        let value = Some(bytes)
            .filter(|bytes| bytes.len() <= MAX_TERMS)
            .and_then(cbor::decode)?;
        let mut fields = Fields::of(value)?;
        let (last, job) = match (fields.take("last")?, fields.take("before")?) {
            (Value::Null, Value::Null) => (None, None),
            (Value::Bytes(receipt), Value::Bytes(before)) => {
                let (receipt, job) = Receipt::decode(&receipt).ok()?;
                (Some((receipt, before.try_into().ok()?)), Some(job))
            }
            _ => return None,
        };
        let quotes = cbor::array(fields.take("quotes")?)?;
        if quotes.len() > MAX_QUOTES {
            return None;
        }
        let quotes = quotes
            .into_iter()
            .map(|quote| Quote::decode(&cbor::bytes(quote)?));
        let terms = Self {
            last,
            quotes: quotes.collect::<Option<_>>()?,
            ceiling: fields.number("ceiling")?,
        };
        fields.left_over().is_none().then_some((terms, job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        let quote = Quote {
            model: "m".to_owned(),
            weights: [4; 32],
            price: [1, 2, 3, 4],
            floor: 1,
            epoch: 7,
            until: 9,
        };
        Terms {
            last: None,
            quotes: vec![quote.clone(), quote],
            ceiling: 5,
        }
    }

    #[test]
    fn terms_survive_the_trip_and_nothing_else_does() {
        for terms in [Terms::default(), terms()] {
            let bytes = terms.encode();
            assert_eq!(Terms::decode(&bytes), Some((terms, None)));
            for length in 0..bytes.len() {
                assert_eq!(Terms::decode(&bytes[..length]), None);
            }
        }
        assert_eq!(Terms::decode(&vec![0; MAX_TERMS + 1]), None);
    }

    #[test]
    fn a_receipt_comes_with_the_head_before_it_or_not_at_all() {
        let quotes = || Value::Array(Vec::new());
        let with = |last: Value, before: Value, quotes: Value| {
            Terms::decode(&cbor::encode(&cbor::map([
                ("last", last),
                ("before", before),
                ("quotes", quotes),
                ("ceiling", number(0)),
            ])))
        };
        let head = || Value::Bytes(vec![0; 32]);
        assert!(with(Value::Null, Value::Null, quotes()).is_some());
        assert_eq!(with(Value::Null, head(), quotes()), None);
        assert_eq!(with(Value::Bytes(vec![1]), head(), quotes()), None);
        assert_eq!(with(Value::Bytes(vec![1]), Value::Null, quotes()), None);
        let many = vec![Value::Bytes(terms().quotes[0].encode()); MAX_QUOTES + 1];
        assert_eq!(with(Value::Null, Value::Null, Value::Array(many)), None);
        let odd = Value::Array(vec![Value::Null]);
        assert_eq!(with(Value::Null, Value::Null, odd), None);
    }
}
