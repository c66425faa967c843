//! Which GPUs were set ready. No other may take a place among them later, however genuine: it was never set ready by us, and no
//! honest machine exchanges one, or its driver, while it runs.

use std::sync::OnceLock;

use chrysalis_attestation::{
    alone::Verified,
    nvidia::{Devices, Gpu},
};

use super::error::GpuError;

/// The machine's GPUs as they were first verified.
#[derive(Debug, Default)]
pub(super) struct Known(OnceLock<Vec<Traits>>);

/// What stays the same as long as the machine runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Traits {
    identity: String,
    ueid: String,
    driver: String,
    vbios: String,
}

impl Traits {
    fn of(gpu: &Gpu) -> Self {
        Self {
            identity: gpu.identity.clone(),
            ueid: gpu.ueid.clone(),
            driver: gpu.driver.clone(),
            vbios: gpu.vbios.clone(),
        }
    }
}

impl Known {
    /// Learns them the first time; after that they must be the same.
    pub(super) fn require(&self, verified: &Verified<Devices>) -> Result<(), GpuError> {
        let mut now: Vec<Traits> = verified.gpus().iter().map(Traits::of).collect();
        now.sort();
        let before = self.0.get_or_init(|| now.clone());
        let other = now.iter().find(|traits| !before.contains(traits));
        match other {
            Some(Traits {
                identity,
                driver,
                vbios,
                ..
            }) => Err(GpuError::Changed(format!(
                "{identity} with driver {driver} and VBIOS {vbios} was not there at boot"
            ))),
            None if now != *before => Err(GpuError::Changed(format!(
                "there are {}, and there were {} at boot",
                now.len(),
                before.len()
            ))),
            None => Ok(()),
        }
    }
}
