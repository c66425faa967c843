//! What a provider may say about the relay.

use std::net::SocketAddr;

use clap::Args;

use super::Bounds;
use crate::descriptors;

/// The most connections that may be asked for.
const MAX_CONNECTIONS: i64 = 1_000_000;

#[derive(Debug, Args)]
pub(crate) struct RelayOptions {
    /// Where clients connect; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    pub(crate) listen: SocketAddr,
    /// The most connections at once; each takes two open files [default: 10240, or as many as this user may have]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_CONNECTIONS))]
    connections: Option<u32>,
    /// The most connections at once from one IPv4 address or one IPv6 /64; raise it if clients come through a proxy of yours
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=MAX_CONNECTIONS))]
    connections_per_client: u32,
}

impl RelayOptions {
    /// What clients may use, with open files for all of it.
    pub(crate) fn bounds(&self) -> anyhow::Result<Bounds> {
        let usual = Bounds::default();
        let asked = self.connections.map(usize::try_from).transpose()?;
        let connections = descriptors::room(asked, usual.silent)?;
        Ok(usual.within(connections, self.connections_per_client))
    }
}
