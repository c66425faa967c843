//! A transparency log in a folder, to be served as static files.

use std::path::PathBuf;

use anyhow::Result;
use chrysalis_image::publish::Log;
use clap::{Args, Subcommand};

use super::signing::Naming;

#[derive(Subcommand)]
pub(crate) enum LogCommand {
    /// Add files to a log, and sign its new head
    Append(AppendArguments),
}

#[derive(Args)]
#[command(
    after_help = "Example:\n  chrysalis-image log append log/ manifest.json statement.json --origin releases.example/log --key log.pem"
)]
pub(crate) struct AppendArguments {
    /// The log's folder, to be served as static files
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What to add, in this order
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The log's name, for good: an address without its scheme is unlikely to be another log's
    #[arg(long, value_name = "NAME")]
    origin: String,
    /// The log's key, as `chrysalis-image key log` makes it: PKCS #8 PEM, Ed25519
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A file whose first line is the key's passphrase; without it, the terminal is asked
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    naming: Naming,
}

pub(crate) fn run(command: &LogCommand) -> Result<()> {
    let LogCommand::Append(arguments) = command;
    let passphrase_file = arguments.passphrase_file.as_deref();
    let key = arguments.naming.key(&arguments.key, passphrase_file)?;
    let head = Log::at(&arguments.folder).append(&arguments.files, &arguments.origin, &key)?;
    print!("{head}");
    Ok(())
}
