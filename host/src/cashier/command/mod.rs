//! `chrysalis-host cashier`: what a person asks of the database that a run keeps.

mod claim;
mod copy;
mod open;
mod serve;
mod status;
mod watch;

use std::process::ExitCode;

use clap::Subcommand;

use self::{
    claim::ClaimOptions, copy::CopyOptions, serve::ServeOptions, status::StatusOptions,
    watch::WatchOptions,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print what is owed, claimed and paid, lane by lane
    #[command(after_help = "Example:\n  chrysalis-host cashier status --format json")]
    Status(StatusOptions),
    /// Claim what is worth its fee, and wait until the chain shows it as paid. A run may go on meanwhile
    #[command(
        after_help = "Example:\n  chrysalis-host cashier claim --all --chain https://chain.example/api/v2\n\nExit status: 0 all of it is paid, \
                      1 something is not yet, 2 could not start."
    )]
    Claim(ClaimOptions),
    /// Claim from a copy of the database until Ctrl-C: a watchtower, for when the host is down
    #[command(
        after_help = "Example:\n  chrysalis-host cashier watch --cashier /mnt/copy/cashier.db --chain https://chain.example/api/v2"
    )]
    Watch(WatchOptions),
    /// Be the cashier of a fleet: hand its enclaves slices of lanes, keep what they are owed, and claim it, until Ctrl-C
    #[command(
        after_help = "Example:\n  chrysalis-host cashier serve --payee 0:… --chain https://chain.example/api/v2 --secret-file fleet.secret"
    )]
    Serve(ServeOptions),
    /// Write a copy of the database, whole at every moment, while a run goes on
    #[command(after_help = "Example:\n  chrysalis-host cashier copy /mnt/copy/cashier.db")]
    Copy(CopyOptions),
}

/// Does what was asked.
pub(crate) async fn run(verb: &Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Status(options) => status::status(options),
        Verb::Claim(options) => claim::claim(options),
        Verb::Watch(options) => watch::watch(options),
        Verb::Serve(options) => serve::serve(options).await,
        Verb::Copy(options) => copy::copy(options),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Value;

    use super::status::Status;
    use crate::cashier::book::Book;

    pub(in crate::cashier) use super::watch::learn;

    pub(in crate::cashier) fn status_text(book: &Book) -> String {
        Status::read(book).unwrap().text()
    }

    pub(in crate::cashier) fn status_json(book: &Book) -> Value {
        serde_json::to_value(Status::read(book).unwrap()).unwrap()
    }
}
