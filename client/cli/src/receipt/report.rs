//! A receipt's verdict, for people and for programs.

use chrysalis_attestation::{Time, Trusted, Verdict};
use chrysalis_client::Error;
use chrysalis_settle::{Content, Job};
use serde_json::{Value, json};

/// What was verified.
pub(super) struct Verified<'a> {
    pub(super) trusted: &'a Trusted,
    pub(super) job: &'a Job,
    /// What was compared of the conversation.
    pub(super) content: Content,
    /// Whether nobody pays on its tab.
    pub(super) unpaid: bool,
}

impl Verified<'_> {
    /// For people.
    pub(super) fn text(&self) -> String {
        let job = self.job;
        let [read, cached, completion, audio] = job.units;
        let prompt = read.saturating_add(cached);
        let units = match audio {
            0 => {
                format!("{prompt} prompt tokens ({cached} cached), {completion} completion tokens")
            }
            _ => format!("{audio} ms of audio"),
        };
        let owed = if self.unpaid {
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
        format!("{}\n{rows}verified\n", Verdict::from(self.trusted))
    }

    /// For programs: one object.
    pub(super) fn json(&self) -> serde_json::Result<Value> {
        let job = self.job;
        Ok(json!({
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
            "evidence": serde_json::to_value(Verdict::from(self.trusted))?,
        }))
    }
}

/// A refusal, for people.
pub(super) fn refused_text(error: &Error) -> String {
    format!(
        "not verified: {}\n{error}\nhint: {}\n",
        error.code(),
        error.hint()
    )
}

/// A refusal, for programs.
pub(super) fn refused_json(error: &Error) -> Value {
    json!({
        "verdict": "rejected",
        "code": error.code(),
        "detail": error.to_string(),
        "hint": error.hint(),
        "receipt": null,
        "evidence": null,
    })
}
