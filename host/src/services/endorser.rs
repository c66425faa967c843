//! Whose signatures the enclave's evidence carries.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use chrysalis_collateral::{Anchors, Mirrors};

use super::staple::{Stapler, chip::this_chip};
use crate::{launch::platform::Platform, simulation::Simulation, talk::say};

/// Who endorses this machine's hardware.
pub(crate) enum Endorser {
    /// The simulated vendors, whose hardware the enclave asks.
    Simulated(Box<Mutex<Simulation>>),
    /// AMD, Intel and NVIDIA, from a store; the enclave asks its own hardware for evidence.
    Stapled(Arc<Stapler>),
    /// Relying parties bring the endorsements themselves.
    None,
}

impl Endorser {
    /// The simulated hardware's own vendors.
    pub(crate) fn simulated(simulation: Simulation) -> Self {
        Self::Simulated(Box::new(Mutex::new(simulation)))
    }

    /// Fills a store for this machine. Where there can be no store, a line says why, and the evidence goes without.
    pub(crate) async fn of_this_machine(
        platform: Platform,
        folder: &Path,
        mirrors: &[Mirrors],
    ) -> Self {
        let chip = match platform {
            Platform::Snp => this_chip()
                .inspect_err(|error| {
                    say(format_args!(
                        "nothing of AMD's is stapled: {error:#}\nhint: tell relying parties to run `chrysalis fetch` themselves"
                    ));
                })
                .ok(),
            Platform::Tdx | Platform::Simulated => None,
        };
        match Stapler::new(folder, chip, mirrors, Anchors::vendors()) {
            Ok(stapler) => {
                let stapler = Arc::new(stapler);
                Arc::clone(&stapler).fetch().await;
                Self::Stapled(stapler)
            }
            Err(error) => {
                say(format_args!(
                    "nothing is stapled: {error}\nhint: {}",
                    error.hint()
                ));
                Self::None
            }
        }
    }
}
