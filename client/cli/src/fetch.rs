//! `fetch`: what evidence needs, from its vendors into a folder; and how that folder stands.

use std::{
    io::{IsTerminal, Write},
    path::Path,
    time::Duration,
};

use anyhow::{anyhow, bail};
use chrysalis_attestation::Time;
use chrysalis_client::system_time;
use chrysalis_collateral::{
    Anchors, Condition, Event, Failure, FetchError, Fetched, Fetcher, Gathered, Http, Limits,
    Listed, Mirrors, Refresh, Store, StoreError, System, Update, Wish, list,
};
use serde_json::{Value, json};

use crate::{
    Outcome,
    arguments::{FetchArguments, Format},
    files,
    printable::printable,
    progress,
};

/// Shorter pauses are not worth a line.
const TOLD_PAUSE: Duration = Duration::from_secs(2);

pub(crate) async fn run(arguments: FetchArguments) -> anyhow::Result<Outcome> {
    if let Some(folder) = &arguments.status {
        return status(folder, &arguments);
    }
    let Some(folder) = arguments.into.clone() else {
        bail!("name the folder with --into DIR");
    };
    let wish = files::wish(&arguments.evidence).await?;
    if wish.is_simulated() {
        bail!(
            "the evidence is of simulated hardware: its vendor has no service, and all that it signs travels along"
        );
    }
    let mut mirrors = Mirrors::default();
    for mirror in arguments.mirror.clone() {
        mirrors.extend(mirror);
    }
    let refresh = if arguments.refresh {
        Refresh::All
    } else {
        Refresh::Due
    };
    let store = Store::open_or_create(&folder).map_err(|error| told(&error))?;
    let update = arguments.update.into();
    let fetching =
        tokio::task::spawn_blocking(move || gather(&store, &mirrors, &wish, (refresh, update)));
    let gathered = progress::during("fetching", fetching).await?;
    tell(&folder, &gathered, &arguments)
}

fn gather(
    store: &Store,
    mirrors: &Mirrors,
    wish: &Wish,
    (refresh, update): (Refresh, Update),
) -> Vec<Gathered> {
    Fetcher {
        store,
        mirrors,
        update,
        anchors: &Anchors::vendors(),
        http: &Http::new(),
        world: &System::new(),
        limits: Limits::default(),
        hear: &mut |event| {
            if let Event::Waiting { host, pause, why } = event
                && pause >= TOLD_PAUSE
            {
                let mut stderr = std::io::stderr().lock();
                // A turning mark may stand on the line.
                let clear = if stderr.is_terminal() { "\r\x1b[K" } else { "" };
                let why = printable(&why.to_string());
                let _ = writeln!(
                    stderr,
                    "{clear}{host}: {why}; again in {} s",
                    pause.as_secs()
                );
            }
        },
    }
    .gather(wish, refresh)
}

/// Whether a failure leaves nothing to want: the store's own still holds, and nobody insisted on another.
fn is_tolerable(failure: &Failure, arguments: &FetchArguments) -> bool {
    failure.stored_until.is_some()
        && !arguments.refresh
        && !matches!(failure.error, FetchError::Older { .. })
}

fn tell(
    folder: &Path,
    gathered: &[Gathered],
    arguments: &FetchArguments,
) -> anyhow::Result<Outcome> {
    let failures: Vec<&Failure> = gathered
        .iter()
        .filter_map(|it| it.outcome.as_ref().err())
        .filter(|failure| !is_tolerable(failure, arguments))
        .collect();
    let until = gathered.iter().filter_map(until).min();
    match arguments.format {
        _ if arguments.quiet => {}
        Format::Text => {
            let last = match (failures.len(), until) {
                (0, Some(until)) => format!("all of it is in {} until {until}\n", folder.display()),
                (0, None) => format!("nothing is needed; {} stays as it is\n", folder.display()),
                (failed, _) => format!("{failed} of {} could not be fetched\n", gathered.len()),
            };
            let lines: Vec<String> = gathered.iter().map(line).chain([last]).collect();
            print!("{}", printable(&lines.concat()));
        }
        Format::Json => println!(
            "{}",
            json!({
                "store": folder.display().to_string(),
                "complete": failures.is_empty(),
                "until": until.filter(|_| failures.is_empty()),
                "objects": gathered.iter().map(object).collect::<Vec<_>>(),
            })
        ),
    }
    if failures.is_empty() {
        Ok(Outcome::Yes)
    } else if failures.iter().all(|failure| failure.error.is_answer()) {
        Ok(Outcome::No)
    } else {
        bail!(
            "not all could be asked for; what was fetched is kept, so running this again goes on from there"
        )
    }
}

fn until(gathered: &Gathered) -> Option<Time> {
    match &gathered.outcome {
        Ok(Fetched::New { until } | Fetched::Same { until } | Fetched::Kept { until }) => {
            Some(*until)
        }
        Err(failure) => failure.stored_until,
    }
}

fn word(gathered: &Gathered) -> &'static str {
    match &gathered.outcome {
        Ok(Fetched::New { .. }) => "fetched",
        Ok(Fetched::Same { .. }) => "same",
        Ok(Fetched::Kept { .. }) => "kept",
        Err(_) => "failed",
    }
}

fn line(gathered: &Gathered) -> String {
    let (word, object) = (word(gathered), &gathered.object);
    let until = until(gathered).map(|until| until.to_string());
    let Err(Failure { error, .. }) = &gathered.outcome else {
        return format!("{word:<8}{object}, until {}\n", until.unwrap_or_default());
    };
    let stored = until.map(|until| format!("        the stored one holds until {until}\n"));
    format!(
        "{word:<8}{object}\n        {error} ({})\n        hint: {}\n{}",
        error.code(),
        error.hint(),
        stored.unwrap_or_default()
    )
}

fn object(gathered: &Gathered) -> Value {
    let failure = gathered.outcome.as_ref().err();
    json!({
        "object": gathered.object.to_string(),
        "path": gathered.object.path(),
        "outcome": word(gathered),
        "until": until(gathered),
        "code": failure.map(|it| it.error.code()),
        "detail": failure.map(|it| it.error.to_string()),
        "hint": failure.map(|it| it.error.hint()),
    })
}

fn status(folder: &Path, arguments: &FetchArguments) -> anyhow::Result<Outcome> {
    let now = arguments.at.unwrap_or_else(system_time);
    let listed = Store::open(folder)
        .and_then(|store| list(&store, now))
        .map_err(|error| told(&error))?;
    let stale = listed
        .iter()
        .filter(|it| matches!(it.condition, Condition::Stale | Condition::Damaged))
        .count();
    match arguments.format {
        _ if arguments.quiet => {}
        Format::Text => print!("{}", printable(&table(&listed, stale))),
        Format::Json => println!(
            "{}",
            json!({
                "store": folder.display().to_string(),
                "fresh": stale == 0,
                "objects": listed.iter().map(entry).collect::<Vec<_>>(),
            })
        ),
    }
    Ok(if stale == 0 {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

fn table(listed: &[Listed], stale: usize) -> String {
    let line = |it: &Listed| {
        let (word, entry) = (condition(it.condition), &it.entry);
        let (until, what) = (entry.valid_until, &entry.what);
        format!("{word:<8}until {until}  {what}\n        {}\n", it.path)
    };
    let due = listed.iter().any(|it| it.condition == Condition::Due);
    let last = match (stale, due) {
        _ if listed.is_empty() => "the store is empty\n".to_owned(),
        (0, false) => format!("all {} are fresh\n", listed.len()),
        (0, true) => format!("all {} hold; those that are due end soon\n", listed.len()),
        (stale, _) => format!("{stale} of {} no longer hold\n", listed.len()),
    };
    let hint = if stale > 0 || due {
        "hint: `chrysalis fetch EVIDENCE --into DIR` fetches newer ones\n"
    } else {
        ""
    };
    let lines: Vec<String> = listed
        .iter()
        .map(line)
        .chain([last, hint.to_owned()])
        .collect();
    lines.concat()
}

fn entry(listed: &Listed) -> Value {
    let entry = &listed.entry;
    json!({
        "path": listed.path,
        "object": entry.what,
        "condition": condition(listed.condition),
        "source": entry.source,
        "fetched_at": entry.fetched_at,
        "made_at": entry.made_at,
        "valid_until": entry.valid_until,
    })
}

fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Fresh => "fresh",
        Condition::Due => "due",
        Condition::Stale => "stale",
        Condition::Damaged => "damaged",
    }
}

/// A store's error, with what to do next.
pub(crate) fn told(error: &StoreError) -> anyhow::Error {
    anyhow!("{error}\nhint: {}", error.hint())
}
