//! How the verdict on evidence in files is told.

use chrysalis_attestation::{Refusal, Rejection, Time, Verdict};

use crate::{
    options::FileOptions,
    outcome::Outcome,
    verdict::{self, Manner},
};

/// Prints it, and says how it came out.
pub(super) fn tell<T>(
    verified: Result<T, Refusal>,
    options: &FileOptions,
    now: Time,
) -> anyhow::Result<Outcome>
where
    for<'a> &'a T: Into<Verdict<'a>>,
{
    let manner = Manner {
        telling: &options.telling,
        explain: options.explain_only,
        has_policy: options.policy.is_some(),
        hint: "",
        now,
        flag,
    };
    verdict::tell(verified.map_err(Into::into), &manner)
}

/// What files can bring that a conversation cannot; for the rest as [`verdict::flag`].
fn flag(rejection: &Rejection, has_policy: bool) -> Option<String> {
    let flag = match rejection {
        Rejection::FreshnessUnchecked => {
            "--report-data HEX, --tpm-nonce HEX for a vTPM's quote, or --without freshness"
        }
        Rejection::VtpmPcrsMissing => "--without pcrs",
        Rejection::EventLogMissing => "--event-log FILE; or --without event-log",
        Rejection::ConversationMissing => return None,
        _ => return verdict::flag(rejection, has_policy),
    };
    Some(flag.to_owned())
}
