//! What an enclave says of each epoch of its price: what the epoch was used for, and what was asked for it. Signed, so that anyone who has
//! the report before it finds out whether the price follows.

use chrysalis_attestation::{
    encoding::{
        cbor::{self, Fields, Value},
        digest::sha256,
    },
    evidence::binding::label,
    verify_ed25519,
};

use crate::{
    Rejection, Sign,
    fields::{self, classes, number, read_signed, signed, take_classes},
    money,
    price::{Load, Price},
};

/// The most bytes of a signed report; one has about 340.
pub const MAX_REPORT: usize = 512;
/// The version that this library reads.
const VERSION: u64 = 1;

/// One epoch of one model at one enclave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The enclave's, which signs this.
    pub receipt_key: [u8; 32],
    /// SHA-256 of the model's weights.
    pub weights: [u8; 32],
    /// Which epoch of the price it is, from 0 at the enclave's start.
    pub epoch: u64,
    /// What the epoch's price came from.
    pub price: Price,
    /// What each class of units costs in terms of the price, in millionths: from the measured configuration.
    pub rates: [u64; 4],
    /// Nano for [`money::PER`] units of each class, in this epoch.
    pub asked: [u64; 4],
    /// What the epoch was used for.
    pub load: Load,
    /// Jobs that ended.
    pub jobs: u64,
    /// Those among them that owe nothing because they failed.
    pub failed: u64,
    /// Nano that the jobs owe.
    pub revenue: u64,
    /// Tabs that are open.
    pub tabs: u64,
    /// Milliseconds until an answer's first token: the median. 0 if there was none.
    pub first_token_ms: u64,
    /// Tokens a second, all answers together.
    pub tokens_per_second: u64,
    /// Unix seconds by the guest's clock, which the host may set: a hint.
    pub ended: i64,
}

impl Report {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        cbor::encode(&cbor::map([
            ("version", number(VERSION)),
            ("receipt_key", bytes(&self.receipt_key)),
            ("weights", bytes(&self.weights)),
            ("epoch", number(self.epoch)),
            ("floor", number(self.price.floor)),
            ("x", number(self.price.x)),
            ("rates", classes(&self.rates)),
            ("asked", classes(&self.asked)),
            ("used", number(self.load.used)),
            ("capacity", number(self.load.capacity)),
            ("jobs", number(self.jobs)),
            ("failed", number(self.failed)),
            ("revenue", number(self.revenue)),
            ("tabs", number(self.tabs)),
            ("first_token_ms", number(self.first_token_ms)),
            ("tokens_per_second", number(self.tokens_per_second)),
            ("ended", Value::Integer(self.ended.into())),
        ]))
    }

    fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        fields::whole(bytes, MAX_REPORT, VERSION, Self::fields)
            .map_err(|what| Rejection::ReportMalformed { what })
    }

    fn fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            receipt_key: fields.bytes("receipt_key")?,
            weights: fields.bytes("weights")?,
            epoch: fields.number("epoch")?,
            price: Price {
                floor: fields.number("floor")?,
                x: fields.number("x")?,
            },
            rates: take_classes(fields, "rates")?,
            asked: take_classes(fields, "asked")?,
            load: Load {
                used: fields.number("used")?,
                capacity: fields.number("capacity")?,
            },
            jobs: fields.number("jobs")?,
            failed: fields.number("failed")?,
            revenue: fields.number("revenue")?,
            tabs: fields.number("tabs")?,
            first_token_ms: fields.number("first_token_ms")?,
            tokens_per_second: fields.number("tokens_per_second")?,
            ended: fields.number("ended")?,
        })
    }

    /// Signs it. `None`: the key is gone.
    pub fn sign(&self, key: &impl Sign) -> Option<SignedReport> {
        let report = self.encode();
        let signature = key.sign(&digest(&report))?;
        Some(SignedReport { report, signature })
    }

    /// Checks that this is the epoch after `before`, at the price that the rule makes of it; `None`: that it is an enclave's first.
    pub fn follows(&self, before: Option<&Self>) -> Result<(), Rejection> {
        let broken = |what| Err(Rejection::PriceRule { what });
        let expected = match before {
            None if self.epoch != 0 => return broken("the report before it is missing"),
            None => Price::new(self.price.floor),
            Some(before) => {
                if (self.receipt_key, self.weights) != (before.receipt_key, before.weights) {
                    return broken("it is about another enclave or model");
                }
                if Some(self.epoch) != before.epoch.checked_add(1) {
                    return broken("a report is missing between them");
                }
                if self.rates != before.rates {
                    return broken("the rates changed");
                }
                before.price.after(before.load, self.price.floor)
            }
        };
        if self.price.floor != expected.floor {
            return broken("the floor moved by more than an eighth");
        }
        if self.price.x != expected.x {
            return broken("another x");
        }
        self.is_priced()
    }

    /// Checks what can be checked without the report before it: that what it asks is what its floor, its `x` and its rates make.
    pub fn is_priced(&self) -> Result<(), Rejection> {
        if money::prices(self.price.base()?, &self.rates)? == self.asked {
            return Ok(());
        }
        Err(Rejection::PriceRule {
            what: "another price than x and floor make",
        })
    }
}

/// `SHA-256(label("chrysalis/report/v1") ‖ report)`.
fn digest(report: &[u8]) -> [u8; 32] {
    sha256(&[&label("chrysalis/report/v1"), report])
}

/// A report with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedReport {
    /// The report, encoded.
    pub report: Vec<u8>,
    /// Ed25519 by the receipt key over `SHA-256(label("chrysalis/report/v1") ‖ report)`.
    pub signature: [u8; 64],
}

impl SignedReport {
    /// Deterministic CBOR of `{report: bytes, signature: bytes 64}`.
    pub fn encode(&self) -> Vec<u8> {
        signed("report", &self.report, &self.signature)
    }

    /// Reads the one encoding, and checks the signature. That the key is an enclave's, evidence alone says.
    pub fn verify(bytes: &[u8]) -> Result<Report, Rejection> {
        let (report, signature) = read_signed(bytes, MAX_REPORT, ("report", "no report"))
            .map_err(|what| Rejection::ReportMalformed { what })?;
        let read = Report::decode(&report)?;
        verify_ed25519(&read.receipt_key, &digest(&report), &signature)
            .map_err(|_| Rejection::ReportSignature)?;
        Ok(read)
    }
}
