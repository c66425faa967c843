//! `release verify`: is this a release of the project, signed by a key that counts, current, in the log, and no step back?

use chrysalis_attestation::{
    Rejection,
    release::{MAX_ENVELOPE, VerifiedRelease},
};
use chrysalis_client::system_time;
use serde_json::json;

use super::{
    arguments::VerifyReleaseArguments,
    publisher::{Vetted, short},
    state::State,
};
use crate::{
    Outcome,
    arguments::Format,
    files::read,
    printable::{print, printable},
};

/// A release, and whose word on it counts.
type Found = (VerifiedRelease, Vetted);

pub(super) fn run(arguments: &VerifyReleaseArguments) -> anyhow::Result<Outcome> {
    let manifest = read(&arguments.manifest, MAX_ENVELOPE)?;
    let now = arguments.at.unwrap_or_else(system_time);
    let mut state = State::open()?;
    let vetted = arguments.publisher.signed(&manifest, now, &state)?;
    let found: Result<Found, Rejection> =
        vetted.and_then(|vetted| Ok((vetted.current(&state)?, vetted)));
    if let Ok((verified, vetted)) = &found {
        vetted.remember(verified, &mut state);
        state.save()?;
    }
    let telling = &arguments.telling;
    match telling.format {
        _ if telling.quiet => {}
        Format::Json => print(&format!("{}\n", json(found.as_ref())))?,
        Format::Text => match &found {
            Ok((verified, vetted)) => print(&printable(&text(verified, vetted)))?,
            Err(rejection) => print(&refused(rejection))?,
        },
    }
    Ok(if found.is_ok() {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

/// A refusal as every verb tells it.
pub(crate) fn refused(rejection: &Rejection) -> String {
    printable(&format!(
        "not trusted: {}\n{rejection}\nhint: {}\n",
        rejection.code(),
        rejection.hint()
    ))
}

fn text(verified: &VerifiedRelease, vetted: &Vetted) -> String {
    let release = &verified.release;
    format!(
        "release {:<24} epoch {}, no step back\n\
         signed  {:<24} {} files, {} launch digests, {} sets of TDX registers\n\
         {}\
         current until {}\n",
        release.release,
        release.epoch,
        short(&vetted.signer()),
        verified.files.len(),
        release.measurements.snp.len(),
        release.measurements.tdx.len(),
        vetted.told(),
        vetted.until(),
    )
}

fn json(found: Result<&Found, &Rejection>) -> serde_json::Value {
    match found {
        Ok((verified, vetted)) => {
            let mut told = vetted.to_json();
            told["verdict"] = json!("current");
            for absent in ["code", "detail", "hint"] {
                told[absent] = json!(null);
            }
            told["release"] = json!(verified.release);
            told["files"] = json!(verified.files);
            told["until"] = json!(vetted.until());
            told
        }
        Err(rejection) => json!({
            "verdict": "rejected",
            "code": rejection.code(),
            "detail": rejection.to_string(),
            "hint": rejection.hint(),
        }),
    }
}
