//! The command line of `log`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Add files to a log, and sign its new head
    Append(AppendArguments),
    /// Print the proof that a log has a file
    Prove(ProveArguments),
    /// Check a whole log, or that it has a file, and that it is the one seen before
    Verify(VerifyLogArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis log append log/ manifest.json statement.json --origin releases.example/log --key log.pem"
)]
pub(crate) struct AppendArguments {
    /// The log's folder, to be served as static files
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// What to add, in this order
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The log's name, for good: an address without its scheme is unlikely to be another log's
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: String,
    /// The log's key, as `chrysalis-image key log` makes it: PKCS #8 PEM, Ed25519
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// A file whose first line is the key's passphrase; without it, the terminal is asked
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Sign with the development key, whose private half is public: such a log shows nothing
    #[arg(long)]
    pub(crate) development_root: bool,
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
