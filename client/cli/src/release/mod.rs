//! `release` and `audit`: signing what an image is, and finding out whether it is so.

mod arguments;
pub(crate) mod audit;
mod image;
mod make;
mod publisher;
mod state;
mod verify;

pub(crate) use arguments::{AuditArguments, ReleaseCommand};
pub(crate) use publisher::{Publisher, development, read_public};
pub(crate) use state::State;
pub(crate) use verify::refused;

use crate::Outcome;

pub(crate) fn run(command: &ReleaseCommand) -> anyhow::Result<Outcome> {
    match command {
        ReleaseCommand::Make(arguments) => make::run(arguments),
        ReleaseCommand::Verify(arguments) => verify::run(arguments),
    }
}
