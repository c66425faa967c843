//! Verdicts as people and programs read them.

use chrysalis_attestation::Trusted;
use chrysalis_client::Error;

use crate::{Outcome, judge::Found};

pub(crate) fn refuse(error: Error) -> anyhow::Result<Outcome> {
    if !error.is_verdict() {
        return Err(error.into());
    }
    eprint!("{}", describe(&Err(error), false));
    Ok(Outcome::No)
}

pub(crate) fn one_line(_trusted: &Trusted) -> String {
    String::new()
}

pub(crate) fn text(_trusted: &Trusted) -> String {
    String::new()
}

pub(crate) fn describe(_found: &Result<Found, Error>, _verbose: bool) -> String {
    String::new()
}

pub(crate) fn json(_found: &Result<Found, Error>) -> String {
    String::new()
}
