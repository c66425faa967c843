//! `pay`: a purse on the chain, and the lanes in it from which the proxy pays (docs/guide/pay.md).

mod amount;
mod folder;
mod init;
mod lane;
mod order;
mod status;

use std::path::PathBuf;

use clap::{Args, Subcommand};

pub(crate) use self::amount::nano;
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

/// Which purse.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The purse's folder [default: `$XDG_CONFIG_HOME/chrysalis/purse`]
    #[arg(long, value_name = "DIR")]
    pub(crate) purse: Option<PathBuf>,
}

/// Which purse, and how to ask its chain.
#[derive(Debug, Args)]
pub(crate) struct Asking {
    #[command(flatten)]
    pub(crate) which: Which,
    /// A file with the key for the chain's interface; without one it answers about once a second
    #[arg(long, value_name = "FILE")]
    pub(crate) chain_key_file: Option<PathBuf>,
}

/// The same, to order something.
#[derive(Debug, Args)]
pub(crate) struct Ordering {
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// The passphrase of the owner's key is the first line of this file, instead of being asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
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
