//! Verdicts as people and programs read them. The words are chrysalis-attestation's; this adds what it has no verdict on.

use std::fmt::Write;

use anyhow::bail;
use chrysalis_attestation::{
    Rejection, Time, Trusted, Verdict,
    transcript::{Check, Outcome as CheckOutcome},
    verdict::{mark, open_in_a_line},
};
use chrysalis_client::Error;
use serde_json::{Value, json};

use crate::{judge::Found, options::accept_broken, outcome::Outcome, printable::printable};

const NO_POLICY_HINT: &str = "hint: `chrysalis policy init --release FILE --key FILE --configuration FILE` prints a policy; give it with --policy";

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
    let mark = mark(trusted.simulated(), trusted.cpu().broken().is_some());
    let image = hex::encode(trusted.cpu().measurement());
    let image = image.get(..12).unwrap_or_default();
    let gpus = match trusted.gpus().len() {
        0 => String::new(),
        count => format!("{count} GPU(s), "),
    };
    let open = open_in_a_line(trusted.transcript().checks());
    let open = open.map_or_else(String::new, |open| format!("; {open}"));
    format!(
        "trusted{mark} until {}: {}, {gpus}image {image}…, this TLS session{open}",
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
        Ok(found @ (Found::Trusted(_) | Found::Explained(_))) => {
            writeln!(text, "{}", found.verdict())
        }
        Ok(found @ (Found::Genuine(_) | Found::Unbound(_))) => {
            writeln!(text, "{}\n{NO_POLICY_HINT}", found.verdict())
        }
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

/// How to go on without what is missing, if that is all that is wrong.
pub(crate) fn way_on(found: &Result<Found, Error>, has_policy: bool) -> Option<String> {
    let failures = match found {
        Err(Error::Refused(refusal)) => std::slice::from_ref(&refusal.rejection),
        Ok(Found::Explained(explained)) => explained.failures(),
        _ => return None,
    };
    let flags = failures.iter().map(|it| flag(it, has_policy));
    let mut flags: Vec<_> = flags.collect::<Option<_>>()?;
    flags.dedup();
    let what = if flags.len() == 1 { "it" } else { "them" };
    let flags = flags.join(" ");
    Some(format!(
        "or:   {flags}, and the verdict lists {what} as not checked\n"
    ))
}

/// The option that accepts a missing input, or hardware that is known to be broken.
fn flag(rejection: &Rejection, has_policy: bool) -> Option<String> {
    match rejection {
        Rejection::ProductBroken { broken } if !has_policy => Some(accept_broken(broken)),
        _ => missing(rejection, has_policy).map(|it| format!("--without {it}")),
    }
}

/// The name of an input, where what is wrong is that it is missing.
fn missing(rejection: &Rejection, has_policy: bool) -> Option<&'static str> {
    match rejection {
        Rejection::RevocationUnchecked => Some("crl"),
        Rejection::OcspMissing { .. } => Some("ocsp"),
        Rejection::RimMissing { .. } => Some("rim"),
        Rejection::GpuFwidMissing => Some("fwid"),
        Rejection::EventLogMissing => Some("event-log"),
        Rejection::FreshnessUnchecked => Some("freshness"),
        Rejection::ConversationMissing if !has_policy => Some("session"),
        _ => None,
    }
}

/// What was found, for programs: one object.
pub(crate) fn json(found: &Result<Found, Error>) -> anyhow::Result<Value> {
    Ok(match found {
        Ok(found) => serde_json::to_value(found.verdict())?,
        Err(Error::Refused(refusal)) => serde_json::to_value(Verdict::refused(refusal))?,
        Err(error) => json!({
            "verdict": "rejected", "code": error.code(), "detail": error.to_string(),
            "hint": error.hint(), "simulated": false, "until": null, "checks": [], "claims": null,
            "failures": [{
                "code": error.code(), "step": "", "detail": error.to_string(), "hint": error.hint(),
            }],
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
