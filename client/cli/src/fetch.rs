//! `fetch`: what evidence needs, from its vendors into a folder; and how that folder stands.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use chrysalis_attestation::Time;
use chrysalis_client::system_time;
use chrysalis_collateral::{
    Anchors, Condition, Event, Failure, FetchError, Fetched, Fetcher, Gathered, Http, Limits,
    Listed, Mirrors, Refresh, Store, System, Wish, list,
};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::{
    collateral::told,
    options::{Format, moment},
    outcome::Outcome,
    printable::printable,
    progress,
    subject::Subject,
    wish::wish,
};

/// Shorter pauses are not worth a line.
const TOLD_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Exit code 0: all of it is there. 1: a vendor's answer is no. 2: not all could be asked for.\n\n\
                  Example:\n  chrysalis fetch report.bin --into collateral\n  chrysalis fetch status collateral\n  \
                  chrysalis verify snp --report report.bin --collateral collateral"
)]
pub(crate) struct FetchArguments {
    #[command(subcommand)]
    command: Option<FetchCommand>,
    /// Reports, quotes, GPU evidence (a bare report with its chain in PEM), saved sessions, certificates or enclaves
    /// (https://HOST:PORT), or `-` for stdin
    #[arg(value_name = "EVIDENCE", required = true)]
    evidence: Vec<Subject>,
    /// The folder to keep it in
    #[arg(long, value_name = "DIR", required = true)]
    into: Option<PathBuf>,
    /// Ask another address instead of a vendor's; SERVICE is amd, intel, intel-root, nvidia-rim or nvidia-ocsp
    #[arg(long, value_name = "SERVICE=URL")]
    mirror: Vec<Mirrors>,
    /// Fetch again what is still fresh in the folder
    #[arg(long)]
    refresh: bool,
    /// Which of Intel's rules to ask for on how current a TDX platform must be
    #[arg(long, value_enum, default_value_t = Update::Standard)]
    update: Update,
    #[command(flatten)]
    telling: FetchTelling,
}

#[derive(Debug, Subcommand)]
enum FetchCommand {
    /// Say what of a folder is fresh, and until when, without fetching
    Status(StatusArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: all of it is fresh. 1: some of it is not. 2: could not check.\n\nExample:\n  chrysalis fetch status collateral"
)]
struct StatusArguments {
    /// The folder that `chrysalis fetch --into` made
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Evaluate as of this time instead of now, such as 2026-12-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Time>,
    #[command(flatten)]
    telling: FetchTelling,
}

/// How it is told.
#[derive(Debug, Args)]
struct FetchTelling {
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Print nothing; the exit code tells
    #[arg(long, short)]
    quiet: bool,
}

/// Which of Intel's rules on how current a TDX platform must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Update {
    /// Those that Intel applies by default, up to a year after it published what they ask for
    Standard,
    /// Those of Intel's newest evaluation, from the day of its publication: more platforms are out of date by them
    Early,
}

impl From<Update> for chrysalis_collateral::Update {
    fn from(update: Update) -> Self {
        match update {
            Update::Standard => Self::Standard,
            Update::Early => Self::Early,
        }
    }
}

pub(crate) async fn run(arguments: FetchArguments) -> anyhow::Result<Outcome> {
    if let Some(FetchCommand::Status(arguments)) = &arguments.command {
        return status(arguments);
    }
    let folder = arguments.into.clone();
    let folder = folder.context("name the folder with --into DIR")?;
    let wish = wish(&arguments.evidence).await?;
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
    (refresh, update): (Refresh, chrysalis_collateral::Update),
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

/// Whether a failure leaves nothing to want: the store's own still holds, and `--refresh` was not given.
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
    match arguments.telling.format {
        _ if arguments.telling.quiet => {}
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

fn status(arguments: &StatusArguments) -> anyhow::Result<Outcome> {
    let now = arguments.at.unwrap_or_else(system_time);
    let folder = &arguments.folder;
    let listed = Store::open(folder)
        .and_then(|store| list(&store, now))
        .map_err(|error| told(&error))?;
    let stale = listed
        .iter()
        .filter(|it| matches!(it.condition, Condition::Stale | Condition::Damaged))
        .count();
    match arguments.telling.format {
        _ if arguments.telling.quiet => {}
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
    Ok((stale == 0).into())
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
