//! The seeds of all vendors.

use chrysalis_simulate::Amd;

use super::{Seed, amd, bundles, intel, model, network, nvidia, relay, release, settle, wire};

/// Every seed.
pub fn all(amd: &Amd) -> Vec<Seed> {
    [
        amd::seeds(amd),
        bundles::seeds(),
        intel::seeds(),
        model::seeds(),
        network::seeds(),
        nvidia::seeds(),
        relay::seeds(),
        release::seeds(),
        settle::seeds(),
        wire::seeds(),
    ]
    .concat()
}
