//! Verdicts as people and programs read them. The words are chrysalis-attestation's; this adds what it has no verdict on.

use std::fmt::Write;

use chrysalis_attestation::{
    Trusted, Verdict,
    verdict::{Check, Outcome as CheckOutcome},
};
use chrysalis_client::Error;
use serde_json::{Value, json};

use crate::{Outcome, judge::Found, printable::printable};

/// The code of evidence that is real, and that nobody said they want.
const NO_POLICY: &str = "policy_missing";
const NO_POLICY_TEXT: &str = "\
genuine, not trusted: no policy says what is wanted
the evidence is signed by AMD hardware and is about this conversation
hint: `chrysalis policy init --image DIR --vcpus N --configuration FILE` prints a policy; give it with --policy
";

/// Ends a command whose peer was refused; errors that are no verdict go on as errors.
pub(crate) fn refuse(error: Error) -> anyhow::Result<Outcome> {
    if !error.is_verdict() {
        return Err(error.into());
    }
    eprint!("{}", describe(&Err(error), false));
    Ok(Outcome::No)
}

/// The verdict on a trusted peer in one line.
pub(crate) fn one_line(trusted: &Trusted) -> String {
    let simulated = if trusted.simulated() {
        " (simulated)"
    } else {
        ""
    };
    let image = hex::encode(trusted.report().launch_digest);
    let image = image.get(..12).unwrap_or_default();
    format!(
        "trusted{simulated} until {}: AMD SEV-SNP, {}, image {image}…, this TLS session",
        trusted.until(),
        trusted.product(),
    )
}

/// The verdict on a trusted peer in full.
pub(crate) fn text(trusted: &Trusted) -> String {
    format!("{}\n", Verdict::trusted(trusted))
}

/// What was found, for people; with every check if `verbose`.
pub(crate) fn describe(found: &Result<Found, Error>, verbose: bool) -> String {
    let mut text = String::new();
    if verbose {
        for check in checks(found) {
            let mark = match check.outcome {
                CheckOutcome::Passed => "passed",
                CheckOutcome::Failed => "FAILED",
                CheckOutcome::NotChecked => "not checked",
            };
            let Check {
                step, name, detail, ..
            } = check;
            writeln!(text, "{step:<9} {mark:<12} {name}: {detail}").expect("a string takes all");
        }
    }
    let written = match found {
        Ok(Found::Trusted(trusted)) => writeln!(text, "{}", Verdict::trusted(trusted)),
        Ok(Found::Genuine(_)) => text.write_str(NO_POLICY_TEXT),
        Err(Error::Refused(refusal)) => writeln!(text, "{}", Verdict::refused(refusal)),
        Err(error) => {
            writeln!(
                text,
                "not trusted: {}\n{error}\nhint: {}",
                error.code(),
                error.hint()
            )
        }
    };
    written.expect("a string takes all");
    printable(&text)
}

/// What was found, for programs: one object.
pub(crate) fn json(found: &Result<Found, Error>) -> anyhow::Result<Value> {
    Ok(match found {
        Ok(Found::Trusted(trusted)) => {
            let mut verdict = serde_json::to_value(Verdict::trusted(trusted))?;
            verdict["claims"]["measurement"] = hex::encode(trusted.report().launch_digest).into();
            verdict
        }
        Ok(Found::Genuine(_)) => {
            rejected(NO_POLICY, "no policy says what is wanted", checks(found))
        }
        Err(Error::Refused(refusal)) => serde_json::to_value(Verdict::refused(refusal))?,
        Err(error) => rejected(error.code(), &error.to_string(), checks(found)),
    })
}

fn rejected(code: &str, detail: &str, checks: &[Check]) -> Value {
    json!({
        "verdict": "rejected", "code": code, "detail": detail, "simulated": false,
        "checks": checks, "claims": null,
    })
}

fn checks(found: &Result<Found, Error>) -> &[Check] {
    match found {
        Ok(Found::Trusted(trusted)) => trusted.transcript().checks(),
        Ok(Found::Genuine(bound)) => bound.transcript().checks(),
        Err(Error::Refused(refusal)) => refusal.transcript.checks(),
        Err(_) => &[],
    }
}
