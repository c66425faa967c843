//! How a network is used, and what there is of it.

use std::time::Duration;

use chrysalis_network::ProviderId;

use crate::{
    RelyingParty,
    network::{Directories, Lanes},
    proxy::ReceiptFolder,
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
