//! The seeds of all vendors.

use chrysalis_simulate::Amd;

use super::{Seed, amd, bundles, intel, model, nvidia, relay, release, settle, wire};

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
        settle::seeds(),
        wire::seeds(),
    ]
    .concat()
}
