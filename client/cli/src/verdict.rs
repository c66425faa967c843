//! Verdicts as people and programs read them. The words are chrysalis-attestation's; this adds what it has no verdict on.

use std::fmt::Write;

use anyhow::bail;
use chrysalis_attestation::{
    Time, Trusted, Verdict,
    verdict::{Check, Outcome as CheckOutcome},
};
use chrysalis_client::Error;
use serde_json::{Value, json};

use crate::{Outcome, judge::Found, printable::printable};

const NO_POLICY_HINT: &str = "hint: `chrysalis policy init --image DIR --vcpus N --configuration FILE` prints a policy; give it with --policy";

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
    let image = hex::encode(trusted.cpu().measurement());
    let image = image.get(..12).unwrap_or_default();
    let gpus = match trusted.gpus().len() {
        0 => String::new(),
        count => format!("{count} GPU(s), "),
    };
    format!(
        "trusted{simulated} until {}: {}, {gpus}image {image}…, this TLS session",
        trusted.until(),
        trusted.cpu(),
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
        Ok(found @ Found::Trusted(_)) => writeln!(text, "{}", found.verdict()),
        Ok(found @ Found::Genuine(_)) => writeln!(text, "{}\n{NO_POLICY_HINT}", found.verdict()),
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
        Ok(found) => serde_json::to_value(found.verdict())?,
        Err(Error::Refused(refusal)) => serde_json::to_value(Verdict::refused(refusal))?,
        Err(error) => json!({
            "verdict": "rejected", "code": error.code(), "detail": error.to_string(),
            "hint": error.hint(), "simulated": false, "until": null, "checks": [], "claims": null,
        }),
    })
}

/// What was found, as the claims of an attestation result.
pub(crate) fn ear(found: &Result<Found, Error>, issued: Time) -> anyhow::Result<Value> {
    Ok(match found {
        Ok(found) => found.verdict().ear(issued),
        Err(Error::Refused(refusal)) => Verdict::refused(refusal).ear(issued),
        Err(error) => bail!("there is no verdict on the evidence itself: {error}"),
    })
}

fn checks(found: &Result<Found, Error>) -> &[Check] {
    match found {
        Ok(found) => found.checks(),
        Err(Error::Refused(refusal)) => refusal.transcript.checks(),
        Err(_) => &[],
    }
}
