//! `release verify`: is this a release of the project, signed by a key that counts, current, in the log, and no step back?

use std::path::PathBuf;

use chrysalis_attestation::{
    Rejection, Time,
    release::{MAX_ENVELOPE, VerifiedRelease},
};
use chrysalis_client::system_time;
use clap::Args;
use serde_json::json;

use super::publisher::{Publisher, Vetted};
use crate::{
    files::read,
    keys::short,
    options::{Format, Telling, moment},
    outcome::Outcome,
    printable::{print, printable, refused},
    seen::State,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: current. 1: rejected. 2: could not check.\n\nExample:\n  chrysalis release verify publication/v1/manifest.json --root 1.root.json --keys publication"
)]
pub(crate) struct VerifyReleaseArguments {
    /// The manifest
    #[arg(value_name = "FILE")]
    pub(crate) manifest: PathBuf,
    #[command(flatten)]
    pub(crate) publisher: Publisher,
    /// Evaluate as of this time instead of now, such as 2026-12-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<Time>,
    #[command(flatten)]
    pub(crate) telling: Telling<Format>,
}

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
    Ok(found.is_ok().into())
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
