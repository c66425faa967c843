//! Why a receipt, a job or a credential is refused. Each reason has a stable code, and a vector in tests/vectors/settle.

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Not 83 bytes of a cap or a receipt.
    #[error("the statement is not 83 bytes of a cap or a receipt: {what}")]
    StatementMalformed {
        /// What is wrong.
        what: &'static str,
    },
    /// Not 110 bytes.
    #[error("a credential has 110 bytes; this has {found}")]
    CredentialMalformed {
        /// How many there are.
        found: usize,
    },
    /// Not the one encoding of a job and a signature.
    #[error("the receipt is not a job and a signature in deterministic CBOR: {what}")]
    ReceiptMalformed {
        /// What is wrong.
        what: &'static str,
    },
    /// Not the one encoding of a job.
    #[error("the job is not one in deterministic CBOR: {what}")]
    JobMalformed {
        /// What is wrong.
        what: String,
    },
    /// No receipt came with an answer to which one belongs.
    #[error("the answer has no receipt")]
    Missing,
    /// Another key signed, or other bytes, or a job of another tab.
    #[error("the receipt key did not sign this job as the next of this tab")]
    Signature,
    /// Not the next job, or not this head.
    #[error("the receipt does not continue this tab: {what}")]
    Chain {
        /// What does not fit.
        what: &'static str,
    },
    /// A quote that was not asked by.
    #[error("the receipt is priced by another quote than the one that was asked by")]
    Quote,
    /// The amount is not what units and prices give, or the sum is not the last sum with it.
    #[error("the receipt's sum is wrong: {what}")]
    Sum {
        /// Which sum.
        what: &'static str,
    },
    /// The receipt is about another request or answer.
    #[error("the receipt is about another {what} than this one")]
    Content {
        /// `job`, `request` or `answer`.
        what: &'static str,
    },
    /// The receipt names other evidence than what was verified.
    #[error("the receipt names other evidence than what was verified: another {what}")]
    Evidence {
        /// `claims`, `epoch` or `bundle`.
        what: &'static str,
    },
    /// A credential's cap is not signed by the lane's spend key for this enclave.
    #[error("the cap is not signed by the lane's key for this enclave")]
    CapSignature,
    /// Whoever is at the other end of a connection does not have the lane's spend key.
    #[error("the connection is not signed by the lane's key")]
    Presence,
    /// A price, an amount or a sum does not fit into 64 bits.
    #[error("the amount does not fit into 64 bits")]
    Overflow,
    /// Not the one encoding of a report and a signature.
    #[error("the report is not one in deterministic CBOR: {what}")]
    ReportMalformed {
        /// What is wrong.
        what: &'static str,
    },
    /// Another key than the one in the report signed, or other bytes.
    #[error("the report is not signed by the receipt key in it")]
    ReportSignature,
    /// Not the one encoding of an offer and a signature.
    #[error("the offer is not one in deterministic CBOR: {what}")]
    OfferMalformed {
        /// What is wrong.
        what: &'static str,
    },
    /// Another key than the one in the offer signed, or other bytes.
    #[error("the offer is not signed by the receipt key in it")]
    OfferSignature,
    /// A price that does not follow from the report before it.
    #[error("the price does not follow from the report before it: {what}")]
    PriceRule {
        /// What does not follow.
        what: &'static str,
    },
    /// A kept receipt's file is not one.
    #[error("this is not a kept receipt: {what}")]
    KeptMalformed {
        /// What is wrong.
        what: &'static str,
    },
}

impl Rejection {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::StatementMalformed { .. } => "statement_malformed",
            Self::CredentialMalformed { .. } => "credential_malformed",
            Self::ReceiptMalformed { .. } => "receipt_malformed",
            Self::JobMalformed { .. } => "job_malformed",
            Self::Missing => "receipt_missing",
            Self::Signature => "receipt_signature",
            Self::Chain { .. } => "receipt_chain",
            Self::Quote => "receipt_quote",
            Self::Sum { .. } => "receipt_sum",
            Self::Content { .. } => "receipt_content",
            Self::Evidence { .. } => "receipt_evidence",
            Self::CapSignature => "cap_signature",
            Self::Presence => "presence_signature",
            Self::Overflow => "amount_overflow",
            Self::ReportMalformed { .. } => "report_malformed",
            Self::ReportSignature => "report_signature",
            Self::OfferMalformed { .. } => "offer_malformed",
            Self::OfferSignature => "offer_signature",
            Self::PriceRule { .. } => "price_rule_broken",
            Self::KeptMalformed { .. } => "receipt_file_malformed",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::StatementMalformed { .. }
            | Self::ReceiptMalformed { .. }
            | Self::JobMalformed { .. }
            | Self::Missing => {
                "do not count this answer as proved; check that both sides run the same release, and leave this provider if it repeats"
            }
            Self::CredentialMalformed { .. } => "send purse, lane, branch, cap and signature",
            Self::Signature => {
                "do not count this answer as proved; check that the evidence and the connection are those of this receipt"
            }
            Self::Chain { .. } => {
                "ask for the tab's last receipt; two clients that share a lane need a branch each"
            }
            Self::Quote | Self::Sum { .. } => {
                "raise no cap at this provider; the receipt is its own signature on a wrong sum"
            }
            Self::Content { .. } => {
                "compare the bodies as they passed, byte for byte; if it is these, keep the receipt: it is the enclave's own signature on something else"
            }
            Self::Evidence { .. } => {
                "bring the evidence of the receipt's epoch; `GET /v1/attestation/epoch` gives the current one"
            }
            Self::CapSignature => {
                "sign the cap with the lane's spend key, for this enclave's receipt key"
            }
            Self::Presence => "sign the exporter of this very connection with the lane's spend key",
            Self::Overflow => "ask with a lower price or fewer tokens",
            Self::ReportMalformed { .. } | Self::ReportSignature => {
                "fetch the report again; count this one as withheld"
            }
            Self::OfferMalformed { .. } | Self::OfferSignature => {
                "do not use this offer; whoever lists it has changed it, or runs another release"
            }
            Self::PriceRule { .. } => {
                "leave this provider: its prices are not those of the measured rule"
            }
            Self::KeptMalformed { .. } => {
                "give a file that `chrysalis proxy --receipts DIR` wrote, whole"
            }
        }
    }
}
