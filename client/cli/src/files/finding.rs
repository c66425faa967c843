//! The verdict on evidence in files, as people and programs read it. The JSON's shape is a contract: docs/guide/verify.md.

use std::fmt::Write;

use chrysalis_attestation::{
    Refusal, Rejection, Time,
    snp::broken::Broken,
    transcript::{Check, Expect, Outcome as CheckOutcome, Transcript},
    verdict::{mark, open_lines},
};
use serde_json::{Value, json};

use super::NO_POLICY;
use crate::{
    options::{Format, Telling, accept_broken},
    outcome::Outcome,
    printable::{print, printable},
};

/// What was found.
pub(super) struct Finding {
    /// Whether a policy said what is wanted: without one, nothing is trusted.
    pub(super) policy: bool,
    /// What is wrong, in order.
    pub(super) failures: Vec<Rejection>,
    pub(super) transcript: Transcript,
    /// When the first certificate or answer that it rests on ends.
    pub(super) until: Option<Time>,
    /// What the evidence says, once it is genuine; null before.
    pub(super) claims: Value,
    /// The first lines for people: what, which, and how it was found.
    pub(super) lines: Vec<[String; 3]>,
    /// What is known against the hardware, if anything.
    pub(super) broken: Option<&'static Broken>,
}

/// Whether the image is the one that is wanted, of evidence in which nothing is wrong.
pub(super) fn told<T>(wanted: Option<&Expect<T>>) -> String {
    match wanted {
        Some(Expect::AnyOf(_)) => "matches the policy".to_owned(),
        Some(Expect::Unchecked { why }) => format!("not checked: {why}"),
        None => NO_POLICY.to_owned(),
    }
}

impl Finding {
    /// Evidence that could not even be read.
    pub(super) fn unreadable(policy: bool, rejection: Rejection) -> Self {
        let refusal = Refusal::from(rejection);
        Self {
            policy,
            failures: vec![refusal.rejection],
            transcript: refusal.transcript,
            until: None,
            claims: Value::Null,
            lines: Vec::new(),
            broken: None,
        }
    }

    /// Prints it, and says how it came out.
    pub(super) fn tell(&self, telling: &Telling, explain: bool) -> anyhow::Result<Outcome> {
        match telling.format {
            _ if telling.quiet => {}
            Format::Text => print(&printable(&self.text(telling.verbose || explain)))?,
            Format::Json => print(&format!("{}\n", self.json()))?,
        }
        Ok(if self.failures.is_empty() {
            Outcome::Yes
        } else {
            Outcome::No
        })
    }

    fn word(&self) -> &'static str {
        match (self.failures.is_empty(), self.policy) {
            (true, true) => "trusted",
            (true, false) => "genuine",
            (false, _) => "rejected",
        }
    }

    fn json(&self) -> Value {
        let first = self.failures.first();
        let failures: Vec<Value> = self
            .failures
            .iter()
            .map(|it| json!({"code": it.code(), "step": it.step(), "detail": it.to_string(), "hint": it.hint()}))
            .collect();
        json!({
            "verdict": self.word(),
            "code": first.map(Rejection::code),
            "detail": first.map(ToString::to_string),
            "hint": first.map(Rejection::hint),
            "simulated": self.transcript.simulated(),
            "until": self.until.filter(|_| first.is_none()),
            "failures": failures,
            "checks": self.transcript.checks(),
            "claims": self.claims,
        })
    }

    fn text(&self, every_check: bool) -> String {
        let mut text = String::new();
        self.write(&mut text, every_check)
            .expect("a string takes all");
        text
    }

    fn write(&self, text: &mut String, every_check: bool) -> std::fmt::Result {
        if every_check {
            for check in self.transcript.checks() {
                let mark = match check.outcome {
                    CheckOutcome::Passed => "passed",
                    CheckOutcome::Failed => "FAILED",
                    CheckOutcome::NotChecked => "not checked",
                };
                let Check {
                    step, name, detail, ..
                } = check;
                writeln!(text, "{step:<9} {mark:<12} {name}: {detail}")?;
            }
        }
        let simulated = self.transcript.simulated();
        for failure in &self.failures {
            let simulated = if simulated {
                " (simulated hardware)"
            } else {
                ""
            };
            writeln!(text, "not trusted: {}{simulated}", failure.code())?;
            writeln!(text, "{failure}\nhint: {}", failure.hint())?;
            if let Some(flag) = flag(failure, self.policy) {
                writeln!(
                    text,
                    "or:   {flag}, and the verdict lists it as not checked"
                )?;
            }
        }
        if !self.failures.is_empty() {
            return Ok(());
        }
        for [name, what, how] in &self.lines {
            let line = format!("{name:<7} {what:<24} {how}");
            writeln!(text, "{}", line.trim_end())?;
        }
        for line in open_lines(self.transcript.checks(), self.policy) {
            writeln!(text, "{line}")?;
        }
        let mark = mark(simulated, self.broken.is_some());
        let word = self.word();
        match self.until {
            Some(until) if until != Time(i64::MAX) => {
                write!(text, "{word}{mark} until {until}")?;
            }
            _ => write!(text, "{word}{mark}")?,
        }
        writeln!(
            text,
            "{}",
            if self.policy {
                ""
            } else {
                "; no policy says whether it is wanted"
            }
        )
    }
}

/// How to go on without the input whose lack this is, or with what is broken.
fn flag(rejection: &Rejection, has_policy: bool) -> Option<String> {
    let flag = match rejection {
        Rejection::ProductBroken { broken } if !has_policy => {
            return Some(accept_broken(broken));
        }
        Rejection::RevocationUnchecked => Some("--without crl"),
        Rejection::FreshnessUnchecked => {
            Some("--report-data HEX, --tpm-nonce HEX for a vTPM's quote, or --without freshness")
        }
        Rejection::VtpmPcrsMissing => Some("--without pcrs"),
        Rejection::EventLogMissing => Some("--event-log FILE; or --without event-log"),
        Rejection::OcspMissing { .. } => Some("--without ocsp"),
        Rejection::RimMissing { .. } => Some("--without rim"),
        Rejection::GpuFwidMissing => Some("--without fwid"),
        _ => None,
    };
    flag.map(str::to_owned)
}
