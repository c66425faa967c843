//! `release verify`: is this the release that its publisher signed, is it current, and is it no step back?

use std::path::Path;

use anyhow::Context;
use chrysalis_attestation::{
    Rejection,
    release::{Checkpoint, MAX_ENVELOPE, PublicKey, Release, Verified, verify_inclusion},
};
use chrysalis_client::system_time;
use serde_json::json;

use super::{arguments::VerifyReleaseArguments, key::read_public, state::State};
use crate::{
    Outcome,
    arguments::Format,
    files::read,
    log,
    printable::{print, printable},
};

/// A release, and the head of the log that it must be in, by the log's key.
type Found<'a> = (Verified, Option<(Checkpoint, &'a PublicKey)>);

pub(super) fn run(arguments: &VerifyReleaseArguments) -> anyhow::Result<Outcome> {
    let key = read_public(&arguments.key)?;
    let log = match (&arguments.log, &arguments.log_key) {
        (Some(folder), Some(key)) => Some((folder.as_path(), read_public(key)?)),
        _ => None,
    };
    let manifest = read(&arguments.manifest, MAX_ENVELOPE)?;
    let now = arguments.at.unwrap_or_else(system_time);
    let mut state = State::open()?;
    let found = Release::verify(&manifest, &key, now, state.release(&key.id()));
    let found = match (found, &log) {
        (Ok(verified), Some((folder, log_key))) => {
            let checkpoint = in_log(&manifest, folder, log_key, &state)?;
            checkpoint.map(|checkpoint| (verified, Some((checkpoint, log_key))))
        }
        (found, _) => found.map(|verified| (verified, None)),
    };
    if let Ok((verified, checkpoint)) = &found {
        state.remember_release(&key.id(), verified.seen);
        if let Some((checkpoint, log_key)) = checkpoint {
            state.remember_head(&log_key.id(), checkpoint.head());
        }
        state.save()?;
    }
    let telling = &arguments.telling;
    match telling.format {
        _ if telling.quiet => {}
        Format::Json => print(&format!("{}\n", json(found.as_ref())))?,
        Format::Text => match &found {
            Ok((verified, checkpoint)) => {
                let checkpoint = checkpoint.as_ref().map(|(checkpoint, _)| checkpoint);
                print(&printable(&text(verified, &key, checkpoint)))?;
            }
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

/// The head of the log that the file is in, held against the one seen last.
pub(crate) fn in_log(
    file: &[u8],
    folder: &Path,
    key: &PublicKey,
    state: &State,
) -> anyhow::Result<Result<Checkpoint, Rejection>> {
    let proof = log::proof_of(folder, file).context("no proof that the log has this file")?;
    let checkpoint = match verify_inclusion(file, &proof, key) {
        Ok(checkpoint) => checkpoint,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let followed = log::follow(folder, &checkpoint, state.head(&key.id()))?;
    Ok(followed.map(|()| checkpoint))
}

fn text(verified: &Verified, key: &PublicKey, checkpoint: Option<&Checkpoint>) -> String {
    let release = &verified.release;
    let logged = checkpoint.map_or_else(String::new, |checkpoint| {
        format!(
            "log     {:<24} one of {} entries\n",
            checkpoint.origin, checkpoint.size
        )
    });
    format!(
        "release {:<24} epoch {}, no step back\n\
         signed  {:<24} {} files, {} launch digests, {} sets of TDX registers\n\
         {logged}\
         current until {}\n",
        release.release,
        release.epoch,
        short(&key.id().to_string()),
        verified.files.len(),
        release.measurements.snp.len(),
        release.measurements.tdx.len(),
        release.expires,
    )
}

fn short(id: &str) -> String {
    id.chars().take(16).chain(['…']).collect()
}

fn json(found: Result<&Found<'_>, &Rejection>) -> serde_json::Value {
    let verdict = |word| json!({ "verdict": word, "code": null, "detail": null, "hint": null });
    match found {
        Ok((verified, checkpoint)) => {
            let mut told = verdict("current");
            told["release"] = json!(verified.release);
            told["files"] = json!(verified.files);
            told["log"] = checkpoint.as_ref().map_or(json!(null), |(checkpoint, _)| {
                json!({ "origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root })
            });
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
