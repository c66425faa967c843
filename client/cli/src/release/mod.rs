//! `release` and `audit`: whether an image was released, and whether it is what its source says.

pub(crate) mod audit;
mod publisher;
mod verify;

use clap::Subcommand;

use crate::outcome::Outcome;

pub(crate) use audit::AuditArguments;
pub(crate) use publisher::Publisher;

#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// Check a release's manifest, and remember it as the newest one seen
    Verify(verify::VerifyReleaseArguments),
}

pub(crate) fn run(command: &ReleaseCommand) -> anyhow::Result<Outcome> {
    match command {
        ReleaseCommand::Verify(arguments) => verify::run(arguments),
    }
}
