//! A network in place of one enclave: each request goes to a provider that is verified, cheap and well, and to another if that one fails
//! before its first piece (docs/spec/network.md).

mod answer;
mod attempt;
mod known;
mod meaning;
mod pool;
mod provider;
mod roster;
mod told;
mod warm;
mod why;

use std::{sync::Arc, time::Duration};

use chrysalis_network::ProviderId;

pub(super) use self::{answer::answer, pool::Pool};
use super::{Door, ReceiptFolder, accept, forward::Upstream};
use crate::{
    Error, RelyingParty,
    network::{Directories, Lanes},
};

/// A network, and how to use it.
pub struct Network {
    /// Who lists its providers.
    pub directories: Directories,
    /// The models that programs may ask for, by their class's name.
    pub models: Vec<String>,
    /// What is required of each enclave, and how connections are opened.
    pub relying_party: RelyingParty,
    /// Where receipts are kept.
    pub receipts: Option<ReceiptFolder>,
    /// Who pays; `None`: nobody.
    pub lanes: Option<Lanes>,
    /// Nano for a million units that are too much; `None`: one and a half times what the class costs.
    pub max_price: Option<u64>,
    /// Providers of each class that are kept verified.
    pub warm: usize,
    /// Whether a second one is asked where the first takes longer than usual.
    pub hedge: bool,
    /// Whether addresses within a network of one's own count.
    pub allow_private: bool,
    /// How long a verification counts before the next.
    pub reverify: Duration,
}

/// What is there to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Providers that are verified.
    pub verified: usize,
    /// Whether one of them is simulated.
    pub simulated: bool,
    /// The cheapest, in nano for a million units.
    pub cheapest: Option<u64>,
    /// Lanes that are open, and how many may be; `None`: nobody pays.
    pub lanes: Option<(usize, usize)>,
}

/// A provider that is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Its id.
    pub id: ProviderId,
    /// Who is paid: an account in workchain 0.
    pub payee: [u8; 32],
    /// Nano: the smallest lane that it takes.
    pub lane_min: u64,
    /// Seconds: the shortest delay of a lane's closing.
    pub delay_min: u64,
    /// Nano for a million units, as directories say.
    pub price: u64,
}

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
