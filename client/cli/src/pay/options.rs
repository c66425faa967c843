//! What several verbs of `pay` take.

use std::path::PathBuf;

use clap::Args;

/// Which purse.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The purse's folder [default: `$XDG_CONFIG_HOME/chrysalis/purse`]
    #[arg(long, value_name = "DIR")]
    pub(crate) purse: Option<PathBuf>,
}

/// Which purse, and how to ask its chain.
#[derive(Debug, Args)]
#[group(skip)]
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
