//! A receipt's verdict, for people and for programs.

use chrysalis_attestation::{
    Found, Refusal, Time, Trusted, Verdict, encoding::digest::sha256, evidence::Evidence,
};
use chrysalis_settle::{Attested, Content, Kept, Rejection};
use chrysalis_wire::content;
use serde_json::{Value, json};

/// Why a receipt's evidence need not be fresh.
pub const PAST: &str = "a receipt is about the past";

/// A receipt that was verified.
#[derive(Debug)]
pub struct Receipt {
    trusted: Box<Trusted>,
    kept: Kept,
    /// What was compared of the conversation.
    content: Content,
}

/// Why a receipt is refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// The evidence that it names is.
    #[error("not trusted: {}", .0.rejection)]
    Evidence(Box<Refusal>),
    /// The receipt is.
    #[error("the answer is not proved: {0}")]
    Receipt(#[from] Rejection),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Evidence(Box::new(refusal))
    }
}

impl Refused {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Evidence(refusal) => refusal.rejection.code(),
            Self::Receipt(rejection) => rejection.code(),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Evidence(refusal) => refusal.rejection.hint(),
            Self::Receipt(rejection) => rejection.hint(),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        format!(
            "not verified: {}\n{self}\nhint: {}\n",
            self.code(),
            self.hint()
        )
    }

    /// For programs: one object.
    pub fn json(&self) -> Value {
        json!({
            "verdict": "rejected",
            "code": self.code(),
            "detail": self.to_string(),
            "hint": self.hint(),
            "receipt": null,
            "evidence": null,
        })
    }
}

/// SHA-256 of the content of a body: of a stream without its comments, else without white space at its end.
pub fn content_digest(body: &[u8]) -> [u8; 32] {
    let starts = [&b"data:"[..], b"event:", b":"];
    if starts.iter().any(|start| body.starts_with(start)) {
        sha256(&[&content::Content::default().push(body)])
    } else {
        sha256(&[content::of_whole(body)])
    }
}

impl Receipt {
    /// Verifies a receipt, once the evidence that it names was judged by a policy.
    pub fn verify(
        kept: Kept,
        evidence: &Evidence,
        judged: Found,
        content: Content,
    ) -> Result<Self, Refused> {
        // A policy ends in trust or in a refusal, and a receipt is nobody's without one.
        let Found::Trusted(trusted) = judged else {
            return Err(Rejection::Evidence { what: "verdict" }.into());
        };
        let attested = Attested::of(trusted.claims(), evidence);
        kept.verify(&attested, &content)?;
        Ok(Self {
            trusted,
            kept,
            content,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let job = self.kept.job();
        let unpaid = self.kept.statement().tab.lane == 0;
        let [read, cached, completion, audio] = job.units;
        let prompt = read.saturating_add(cached);
        let units = match audio {
            0 => {
                format!("{prompt} prompt tokens ({cached} cached), {completion} completion tokens")
            }
            _ => format!("{audio} ms of audio"),
        };
        let owed = if unpaid {
            "nothing: nobody pays on this tab".to_owned()
        } else {
            format!(
                "{} nano for this job, {} on its tab",
                job.amount, job.cumulative
            )
        };
        let compared = match (self.content.request, self.content.answer) {
            (Some(_), Some(_)) => "the request and the answer are these",
            (Some(_), None) => "the request is this; the answer was not compared",
            (None, Some(_)) => "the answer is this; the request was not compared",
            (None, None) => "not compared; --request FILE and --answer FILE do",
        };
        let rows = [
            (
                "receipt",
                format!(
                    "job {}, number {} of its tab",
                    hex::encode(job.job),
                    job.seq
                ),
            ),
            (
                "signed",
                format!("by the enclave's receipt key, in epoch {}", job.epoch),
            ),
            ("used", units),
            ("owed", owed),
            (
                "ended",
                format!(
                    "{} at {}, by the guest's clock: a hint",
                    job.end.name(),
                    Time(job.ended)
                ),
            ),
            ("content", compared.to_owned()),
        ];
        let rows = rows.iter().fold(String::new(), |page, (name, value)| {
            page + &format!("{name:<8}{value}\n")
        });
        format!("{}\n{rows}verified\n", Verdict::from(&*self.trusted))
    }

    /// For programs: one object.
    pub fn json(&self) -> Value {
        let job = self.kept.job();
        json!({
            "verdict": "verified",
            "code": null,
            "detail": null,
            "hint": null,
            "receipt": {
                "seq": job.seq,
                "job": hex::encode(job.job),
                "claims": hex::encode(job.claims),
                "evidence": hex::encode(job.evidence),
                "epoch": job.epoch,
                "quote": hex::encode(job.quote),
                "units": job.units,
                "amount": job.amount,
                "cumulative": job.cumulative,
                "end": job.end.name(),
                "began": job.began,
                "ended": job.ended,
                "request_compared": self.content.request.is_some(),
                "answer_compared": self.content.answer.is_some(),
            },
            "evidence": crate::json(&Verdict::from(&*self.trusted)),
        })
    }
}
