//! Quotes and amounts, in nano (10^-9 of the coin): 128 bits while computing, 64 outside. What does not fit is refused, never wrapped.

use chrysalis_attestation::{
    encoding::{
        cbor::{self, Fields, Value},
        digest::sha256,
    },
    evidence::{binding::label, claims::MAX_NAME},
};

use crate::{
    Rejection,
    fields::{classes, number, take_classes},
};

/// Units that a price is for.
pub const PER: u64 = 1_000_000;
/// Tokens that a template adds to a body of any length: fewer than this.
pub const TEMPLATE: u64 = 1024;
/// The most bytes of a quote; one has about 141.
pub const MAX_QUOTE: usize = 256 + MAX_NAME;
/// The version that this library reads.
const VERSION: u64 = 1;

/// What stands in place of a quote's digest where nobody pays: `SHA-256(label("chrysalis/no-quote/v1"))`. The amount is then 0.
pub fn unpaid_quote() -> [u8; 32] {
    sha256(&[&label("chrysalis/no-quote/v1")])
}

/// What an enclave asks for a model's work. It comes over attested TLS, and its digest is in the job, so it is not signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The model's name.
    pub model: String,
    /// SHA-256 of its weights.
    pub weights: [u8; 32],
    /// Nano for [`PER`] units of each class.
    pub price: [u64; 4],
    /// The operator's least price.
    pub floor: u64,
    /// The price's epoch.
    pub epoch: u64,
    /// Unix seconds by the guest's clock, until when it holds.
    pub until: i64,
}

impl Quote {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&cbor::map([
            ("version", number(VERSION)),
            ("model", Value::Text(self.model.clone())),
            ("weights", Value::Bytes(self.weights.to_vec())),
            ("price", classes(&self.price)),
            ("floor", number(self.floor)),
            ("epoch", number(self.epoch)),
            ("until", Value::Integer(self.until.into())),
        ]))
    }

    /// Reads the one encoding.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let value = Some(bytes)
            .filter(|bytes| bytes.len() <= MAX_QUOTE)
            .and_then(cbor::decode)?;
        let mut fields = Fields::of(value)?;
        let version: u64 = fields.number("version")?;
        let quote = Self {
            model: fields.text("model").filter(|name| name.len() <= MAX_NAME)?,
            weights: fields.bytes("weights")?,
            price: take_classes(&mut fields, "price")?,
            floor: fields.number("floor")?,
            epoch: fields.number("epoch")?,
            until: fields.number("until")?,
        };
        (version == VERSION && fields.left_over().is_none()).then_some(quote)
    }

    /// What jobs name it by.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[&self.encode()])
    }
}

/// Prices from a base price and each class's weight: `ceil(base × weight / 1 000 000)`.
pub fn prices(base: u64, weights: &[u64; 4]) -> Result<[u64; 4], Rejection> {
    let mut prices = [0; 4];
    for (price, weight) in prices.iter_mut().zip(weights) {
        let product = u128::from(base) * u128::from(*weight);
        *price = narrow(product)?;
    }
    Ok(prices)
}

/// What units cost: `ceil(Σ units × price / 1 000 000)`.
pub fn amount(units: &[u64; 4], price: &[u64; 4]) -> Result<u64, Rejection> {
    let mut sum = 0_u128;
    for (units, price) in units.iter().zip(price) {
        let each = u128::from(*units) * u128::from(*price);
        sum = sum.checked_add(each).ok_or(Rejection::Overflow)?;
    }
    narrow(sum)
}

/// The most that a request can cost, computed without a tokenizer: a token of the body has a byte at least, the template's own are fewer
/// than [`TEMPLATE`], and whatever is billed is clamped to this.
pub fn bound(
    body: u64,
    completion_tokens: u64,
    audio_ms: u64,
    price: &[u64; 4],
) -> Result<u64, Rejection> {
    let prompt = body.checked_add(TEMPLATE).ok_or(Rejection::Overflow)?;
    amount(&[prompt, 0, completion_tokens, audio_ms], price)
}

/// Millionths, rounded up.
fn narrow(millions: u128) -> Result<u64, Rejection> {
    u64::try_from(millions.div_ceil(u128::from(PER))).map_err(|_| Rejection::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quote() -> Quote {
        Quote {
            model: "smollm2-135m-instruct".to_owned(),
            weights: [4; 32],
            price: [10_000, 1_000, 40_000, 0],
            floor: 10_000,
            epoch: 7,
            until: 1_796_126_400,
        }
    }

    #[test]
    fn a_quote_survives_the_trip_and_nothing_else_does() {
        let bytes = quote().encode();
        assert_eq!(Quote::decode(&bytes), Some(quote()));
        assert!(bytes.len() <= 150, "{}", bytes.len());
        for length in 0..bytes.len() {
            assert_eq!(Quote::decode(&bytes[..length]), None);
        }
        assert_eq!(Quote::decode(&vec![0; MAX_QUOTE + 1]), None);
        assert_ne!(quote().digest(), unpaid_quote());
    }

    #[test]
    fn a_begun_nano_counts_whole() {
        assert_eq!(amount(&[1, 0, 0, 0], &[1, 0, 0, 0]), Ok(1));
        assert_eq!(amount(&[PER, 0, 1, 0], &[5, 9, 1, 9]), Ok(6));
        assert_eq!(amount(&[0; 4], &[u64::MAX; 4]), Ok(0));
        assert_eq!(prices(3, &[PER, PER / 2, 1, 0]), Ok([3, 2, 1, 0]));
        assert_eq!(bound(0, 10, 0, &[0, 0, PER, 0]), Ok(10));
        assert_eq!(bound(1, 0, 0, &[PER, 0, 0, 0]), Ok(1025));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let much = [u64::MAX; 4];
        assert_eq!(amount(&much, &much), Err(Rejection::Overflow));
        assert_eq!(amount(&much, &[PER, PER, 0, 0]), Err(Rejection::Overflow));
        assert_eq!(amount(&[u64::MAX, 0, 0, 0], &[PER, 0, 0, 0]), Ok(u64::MAX));
        assert_eq!(prices(u64::MAX, &much), Err(Rejection::Overflow));
        assert_eq!(bound(u64::MAX, 0, 0, &[0; 4]), Err(Rejection::Overflow));
    }

    proptest! {
        /// An answer never costs more than its request's bound.
        #[test]
        fn the_bound_holds(body in 0..1_u64 << 24, tokens in 0..1_u64 << 20, audio in 0..1_u64 << 24,
            used in any::<[u8; 3]>(), price in any::<[u32; 4]>()) {
            let price = price.map(u64::from);
            let part = |of: u64, share: u8| of * u64::from(share) / 255;
            let units = [part(body + TEMPLATE, used[0]), 0, part(tokens, used[1]), part(audio, used[2])];
            prop_assert!(amount(&units, &price).unwrap() <= bound(body, tokens, audio, &price).unwrap());
        }
    }
}
