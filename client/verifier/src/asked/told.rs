//! A verdict as the command line prints it.

use chrysalis_attestation::{Refusal, Verdict};

use crate::json;

/// That of any walk.
pub(super) fn told<T>(found: &Result<T, Refusal>) -> String
where
    for<'a> &'a T: Into<Verdict<'a>>,
{
    json(&Verdict::of(found)).to_string()
}
