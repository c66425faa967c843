//! The seeds of all vendors.

use chrysalis_simulate::Amd;

use super::{Seed, amd, bundles, intel, model, nvidia, relay, release, wire};

/// Every seed.
pub fn all(amd: &Amd) -> Vec<Seed> {
    [
        amd::seeds(amd),
        bundles::seeds(),
        intel::seeds(),
        model::seeds(),
        nvidia::seeds(),
        relay::seeds(),
        release::seeds(),
        wire::seeds(),
    ]
    .concat()
}
