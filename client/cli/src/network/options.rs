//! Named network, and how its directories are asked.

use std::path::PathBuf;

use chrysalis_client::{Dial, Socks};
use clap::Args;

/// Named network.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// A network's signed descriptor: its providers are found in its directories
    #[arg(long, value_name = "FILE|URL", requires = "network_keys")]
    pub(crate) network: Option<String>,
    /// The public key of somebody who signs the descriptor, PEM or DER; may be repeated
    #[arg(long = "network-key", id = "network_keys", value_name = "FILE")]
    pub(crate) network_keys: Vec<PathBuf>,
    /// How many of those keys have to have signed it [default: all of them]
    #[arg(long, value_name = "NUMBER", requires = "network_keys")]
    pub(crate) network_at_least: Option<usize>,
    /// Connect to providers at addresses that are not on the public internet, too: for a network of your own
    #[arg(long)]
    pub(crate) allow_private: bool,
    /// Open connections to enclaves and directories through this proxy, which sees where they go and nothing else. It resolves names as
    /// well, so that they cannot be checked for private addresses here
    #[arg(long, value_name = "socks5://[USER:PASSWORD@]HOST:PORT")]
    pub(crate) via: Option<Socks>,
}

impl Named {
    /// How connections to providers are opened.
    pub(crate) fn dial(&self) -> Dial {
        let dial = match &self.via {
            Some(proxy) => Dial::default().via(proxy.clone()),
            None => Dial::default(),
        };
        if self.allow_private || self.network.is_none() {
            dial
        } else {
            dial.public_only()
        }
    }
}
