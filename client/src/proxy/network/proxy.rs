//! The proxy itself.

use std::sync::Arc;

use super::{
    pool::Pool,
    settings::{Network, Summary, Verified},
};
use crate::{
    Error,
    proxy::{Door, forward::Upstream, serve::accept},
};

/// A proxy in front of a network. It exists only after a provider has been verified.
pub struct NetworkProxy(Arc<Pool>);

impl NetworkProxy {
    /// Verifies the first providers, and locks lanes for them. An error if there is nobody to ask.
    pub async fn start(network: Network) -> Result<Self, Error> {
        let pool = Arc::new(Pool::new(network)?);
        Box::pin(pool.start()).await?;
        Ok(Self(pool))
    }

    /// Who is there now.
    pub fn summary(&self) -> Summary {
        self.0.summary()
    }

    /// Each of them.
    pub fn verified(&self) -> Vec<Verified> {
        self.0.verified()
    }

    /// Serves what comes through `door` for as long as it is polled, and keeps providers verified and lanes filled.
    pub async fn serve(&self, door: Door) {
        let upstream = Upstream::Network(Arc::clone(&self.0));
        tokio::join!(
            accept(upstream, door),
            self.0.keep_warm(),
            self.0.keep_lanes()
        );
    }
}
