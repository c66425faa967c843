//! Verdicts as people and programs read them. The words are chrysalis-attestation's; this adds what it has no verdict on.

use anyhow::bail;
use chrysalis_attestation::{
    Rejection, Time, Trusted, Verdict,
    transcript::{Check, Outcome as CheckOutcome},
    verdict::{mark, open_in_a_line},
};
use chrysalis_client::Error;
use chrysalis_verifier::accept_broken;
use serde_json::{Value, json};

use crate::{
    options::{Telling, VerdictFormat},
    outcome::Outcome,
    printable::{print, printable},
};

/// What a verdict on an enclave without a policy ends in.
pub(crate) const NO_POLICY_HINT: &str = "hint: `chrysalis policy init --release FILE --key FILE --configuration FILE` prints a policy; give it with --policy\n";

/// Ends a command whose peer was refused; errors that are no verdict go on as errors.
pub(crate) fn refuse(error: Error) -> anyhow::Result<Outcome> {
    if !error.is_verdict() {
        return Err(error.into());
    }
    eprint!("{}", describe(&Err::<Trusted, _>(error), false, ""));
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
    format!("{}\n", Verdict::from(trusted))
}

/// How a verdict is to be told.
pub(crate) struct Manner<'a> {
    pub(crate) telling: &'a Telling,
    /// Whether every check was asked for.
    pub(crate) explain: bool,
    pub(crate) has_policy: bool,
    /// What to do about a verdict without a policy.
    pub(crate) hint: &'static str,
    /// The moment that was judged by.
    pub(crate) now: Time,
    /// The option that would accept what is wrong, if there is one.
    pub(crate) flag: fn(&Rejection, bool) -> Option<String>,
}

/// Prints what was found, and says how it came out. Errors that are no verdict go on as errors.
pub(crate) fn tell<T>(found: Result<T, Error>, manner: &Manner<'_>) -> anyhow::Result<Outcome>
where
    for<'a> &'a T: Into<Verdict<'a>>,
{
    let telling = manner.telling;
    if let Err(error) = &found
        && !error.is_verdict()
    {
        return found.map(|_| Outcome::No).map_err(Into::into);
    }
    match telling.format {
        _ if telling.quiet => {}
        VerdictFormat::Text => {
            let mut text = describe(&found, telling.verbose || manner.explain, manner.hint);
            text.extend(way_on(&found, manner));
            print(&text)?;
        }
        VerdictFormat::Json => print(&format!("{}\n", json(&found)))?,
        VerdictFormat::Ear => print(&format!("{}\n", ear(&found, manner.now)?))?,
    }
    Ok(found.is_ok().into())
}

/// The verdict, unless no evidence was even looked at.
fn verdict<'a, T>(found: &'a Result<T, Error>) -> Result<Verdict<'a>, &'a Error>
where
    &'a T: Into<Verdict<'a>>,
{
    match found {
        Ok(found) => Ok(found.into()),
        Err(Error::Refused(refusal)) => Ok((&**refusal).into()),
        Err(error) => Err(error),
    }
}

/// What was found, for people; with every check if `verbose`.
fn describe<'a, T>(found: &'a Result<T, Error>, verbose: bool, hint: &str) -> String
where
    &'a T: Into<Verdict<'a>>,
{
    let text = match verdict(found) {
        Ok(verdict) => {
            let checks = verdict.checks().iter().filter(|_| verbose);
            let checks: String = checks.map(line).collect();
            let hint = match found {
                Ok(_) if !verdict.is_trusted() => hint,
                _ => "",
            };
            format!("{checks}{verdict}\n{hint}")
        }
        Err(error) => format!(
            "not trusted: {}\n{error}\nhint: {}\n",
            error.code(),
            error.hint()
        ),
    };
    printable(&text)
}

fn line(check: &Check) -> String {
    let mark = match check.outcome {
        CheckOutcome::Passed => "passed",
        CheckOutcome::Failed => "FAILED",
        CheckOutcome::NotChecked => "not checked",
    };
    let Check {
        step, name, detail, ..
    } = check;
    format!("{step:<9} {mark:<12} {name}: {detail}\n")
}

/// How to go on without what is missing, if that is all that is wrong.
fn way_on<T>(found: &Result<T, Error>, manner: &Manner<'_>) -> Option<String> {
    let Err(Error::Refused(refusal)) = found else {
        return None;
    };
    let flags = refusal
        .rejections()
        .map(|it| (manner.flag)(it, manner.has_policy));
    let mut flags: Vec<_> = flags.collect::<Option<_>>()?;
    flags.dedup();
    let what = if flags.len() == 1 { "it" } else { "them" };
    let flags = flags.join(" ");
    Some(format!(
        "or:   {flags}, and the verdict lists {what} as not checked\n"
    ))
}

/// The option that accepts a missing input, or hardware that is known to be broken.
pub(crate) fn flag(rejection: &Rejection, has_policy: bool) -> Option<String> {
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
fn json<'a, T>(found: &'a Result<T, Error>) -> Value
where
    &'a T: Into<Verdict<'a>>,
{
    match verdict(found) {
        Ok(verdict) => chrysalis_verifier::json(&verdict),
        Err(error) => json!({
            "verdict": "rejected", "code": error.code(), "detail": error.to_string(),
            "hint": error.hint(), "simulated": false, "until": null, "checks": [], "claims": null,
            "failures": [{
                "code": error.code(), "step": "", "detail": error.to_string(), "hint": error.hint(),
            }],
        }),
    }
}

/// What was found, as the claims of an attestation result.
fn ear<'a, T>(found: &'a Result<T, Error>, issued: Time) -> anyhow::Result<Value>
where
    &'a T: Into<Verdict<'a>>,
{
    match verdict(found) {
        Ok(verdict) => Ok(verdict.ear(issued)),
        Err(error) => bail!("there is no verdict on the evidence itself: {error}"),
    }
}
