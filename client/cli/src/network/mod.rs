//! `network`: who is listed in a network, and what they ask (docs/guide/network.md). Nothing here is verified but signatures.

mod list;
mod open;
mod options;

use chrysalis_client::Error;
use clap::Subcommand;

pub(crate) use self::{list::warning, open::Opened, options::Named};
use crate::{outcome::Outcome, verdict};

#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// List the providers that a network's directories name
    List(list::ListArguments),
    /// Show all that one provider's listing says
    Show(list::ShowArguments),
    /// Show what a model costs
    Price(list::PriceArguments),
}

pub(crate) async fn run(command: NetworkCommand) -> anyhow::Result<Outcome> {
    let outcome = match command {
        NetworkCommand::List(arguments) => list::list(arguments).await,
        NetworkCommand::Show(arguments) => list::show(arguments).await,
        NetworkCommand::Price(arguments) => list::price(arguments).await,
    };
    told(outcome)
}

/// Where a descriptor was refused, that is the outcome.
pub(crate) fn told(outcome: anyhow::Result<Outcome>) -> anyhow::Result<Outcome> {
    outcome.or_else(|error| verdict::refuse(error.downcast::<Error>()?))
}
