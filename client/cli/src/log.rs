//! `log`: a transparency log of releases, in a folder of static files, checked.

use std::path::PathBuf;

use chrysalis_attestation::release::{Checkpoint, MAX_ENVELOPE, verify_inclusion};
use chrysalis_image::publish::{Log, development};
use clap::{Args, Subcommand};

use crate::{
    files::read,
    keys::{read_public, warning},
    outcome::Outcome,
    printable::{print, printable, refused},
    seen::State,
};

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Print the proof that a log has a file
    Prove(ProveArguments),
    /// Check a whole log, or that it has a file, and that it is the one seen before
    Verify(VerifyLogArguments),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chrysalis log prove log/ manifest.json > manifest.tlog-proof")]
pub(crate) struct ProveArguments {
    /// The log's folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// What is in the log
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: all is well. 1: the log is refused. 2: could not check.\n\nExample:\n  chrysalis log verify log/ --key log.pub"
)]
pub(crate) struct VerifyLogArguments {
    /// The log's folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The log's public key, PEM or DER
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Check that this file is in the log, by its proof alone, instead of every entry
    #[arg(long, value_name = "FILE")]
    pub(crate) entry: Option<PathBuf>,
    /// Accept a log of the development key, whose private half is public: anyone can sign its heads
    #[arg(long)]
    pub(crate) development_root: bool,
}

pub(crate) fn run(command: &LogCommand) -> anyhow::Result<Outcome> {
    match command {
        LogCommand::Prove(arguments) => {
            let entry = read(&arguments.file, MAX_ENVELOPE)?;
            let proof = Log::at(&arguments.folder).proof(&entry)?;
            print(&String::from_utf8_lossy(&proof))?;
            Ok(Outcome::Yes)
        }
        LogCommand::Verify(arguments) => {
            let (told, outcome) = match verify(arguments) {
                Ok(told) => (told, Outcome::Yes),
                Err(error) => (refused(&error.downcast()?), Outcome::No),
            };
            print(&told)?;
            Ok(outcome)
        }
    }
}

/// What there is to say about a log. Where it is refused, the error is the rejection itself.
fn verify(arguments: &VerifyLogArguments) -> anyhow::Result<String> {
    let key = read_public(&arguments.key, development(arguments.development_root))?;
    let log = Log::at(&arguments.folder);
    let mut state = State::open()?;
    let (head, which) = match &arguments.entry {
        Some(path) => {
            let entry = read(path, MAX_ENVELOPE)?;
            let head = verify_inclusion(&entry, &log.proof(&entry)?, &key)?;
            (head, "has the file")
        }
        None => (log.verify(&key)??, "every one is there"),
    };
    log.follows(&head, state.head(&key.id()))??;
    state.remember_head(&key.id(), head.head());
    state.save()?;
    let Checkpoint { origin, size, root } = head;
    let warning = warning(key.is_development());
    Ok(printable(&format!(
        "log     {origin}\nentries {size}, {which}\nroot    {root}\n{warning}"
    )))
}
