//! Why there is nothing, as the exception that Python raises.

use std::{io, time::Duration};

use chrysalis_attestation::Verdict;
use chrysalis_client::Error;
use chrysalis_verifier::json;
use pyo3::prelude::*;

/// Where the exceptions are.
const ERRORS: &str = "chrysalis._errors";

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The caller's: what it gave makes no sense.
    Unusable(String),
    /// The peer's or the world's.
    Client(Error),
    /// It took longer than the caller waits.
    Late { what: &'static str, after: Duration },
    /// It was called off.
    Cancelled,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Client(Error::Local(error.to_string()))
    }
}

impl Failure {
    /// As `chrysalis._errors.raised(kind, code, message, hint, verdict)` makes it.
    pub(crate) fn raised(&self, python: Python<'_>) -> PyErr {
        let (kind, code, message, hint, verdict) = match self {
            Self::Unusable(why) => ("unusable", "unusable", why.clone(), "", None),
            Self::Cancelled => (
                "cancelled",
                "cancelled",
                "the request was called off".to_owned(),
                "",
                None,
            ),
            Self::Late { what, after } => {
                let message = format!("no {what} within {} s", after.as_secs_f32());
                (
                    *what,
                    "timeout",
                    message,
                    "allow more time, or try again later",
                    None,
                )
            }
            Self::Client(error) => {
                let verdict = match error {
                    Error::Refused(refusal) => Some(json(&Verdict::from(&**refusal)).to_string()),
                    _ => None,
                };
                let message = error.to_string();
                (kind(error), error.code(), message, error.hint(), verdict)
            }
        };
        let raised = python
            .import(ERRORS)
            .and_then(|errors| errors.getattr("raised"))
            .and_then(|raised| raised.call1((kind, code, message, hint, verdict)));
        match raised {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        }
    }
}

/// Which exception it is.
fn kind(error: &Error) -> &'static str {
    match error {
        error if error.is_verdict() => "rejected",
        Error::Unreachable { .. } => "unreachable",
        Error::Stalled { .. } => "stalled",
        Error::Incomplete { .. } | Error::Closed | Error::CutOff { .. } => "cut",
        Error::Protocol(_) | Error::AnswerAltered | Error::RelayKeys => "protocol",
        _ => "other",
    }
}
