//! `receipt`: what the proxy kept, verified again offline, and packed for somebody else.

mod evidence;
mod pack;
mod verify;

use clap::Subcommand;

use crate::outcome::Outcome;

#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Verify a receipt offline: the evidence, its key, its signature, its chain, its job
    Verify(Box<verify::VerifyReceiptArguments>),
    /// Put a receipt and the evidence that it names into one file, to show it to somebody else
    Pack(pack::PackArguments),
}

pub(crate) fn run(command: &ReceiptCommand) -> anyhow::Result<Outcome> {
    match command {
        ReceiptCommand::Verify(arguments) => verify::run(arguments),
        ReceiptCommand::Pack(arguments) => pack::run(arguments),
    }
}
