//! `pay`: a purse on the chain, and the lanes in it from which the proxy pays (docs/guide/pay.md).

mod amount;
mod folder;
mod init;
mod lane;
mod options;
mod order;
mod status;
mod vault;

use clap::Subcommand;

pub(crate) use self::{amount::nano, options::Ordering, vault::Vault};
use crate::outcome::Outcome;

#[derive(Debug, Subcommand)]
pub(crate) enum PayCommand {
    /// Make a purse: its key, and the address that money is sent to
    Init(init::InitArguments),
    /// Show where to send money to
    Address(init::AddressArguments),
    /// Lock money for a provider: in a new lane, or more of it in one that is open
    Lock(lane::LockArguments),
    /// Show what is in the purse, and in each lane
    Status(status::StatusArguments),
    /// Begin to close a lane: its provider can still claim what is owed, for as long as was agreed
    Close(lane::LaneArguments),
    /// Free what is left in a lane that has closed
    Free(lane::LaneArguments),
    /// Send money that is not locked home
    Withdraw(lane::WithdrawArguments),
}

pub(crate) async fn run(command: PayCommand) -> anyhow::Result<Outcome> {
    match command {
        PayCommand::Init(arguments) => init::init(arguments).await,
        PayCommand::Address(arguments) => init::address(&arguments),
        PayCommand::Lock(arguments) => lane::lock(arguments).await,
        PayCommand::Status(arguments) => status::run(arguments).await,
        PayCommand::Close(arguments) => lane::close(arguments).await,
        PayCommand::Free(arguments) => lane::free(arguments).await,
        PayCommand::Withdraw(arguments) => lane::withdraw(arguments).await,
    }
}
