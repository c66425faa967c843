//! Good inputs to start from, signed by simulated vendors. Made anew each time but for the bundles of tests/vectors.

mod all;
mod amd;
mod bundles;
mod intel;
mod model;
mod network;
mod nvidia;
mod relay;
mod release;
mod settle;
mod wire;

use std::{fs, io, path::Path};

use chrysalis_attestation::Time;
use chrysalis_simulate::{Amd, SimulateError};

pub use all::all;
pub(crate) use network::network_key;

use crate::{Target, targets};

/// When the seeds are valid, and what every target takes for the present.
pub const NOW: Time = targets::NOW;

/// An input that its target reads to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Whose input.
    pub target: &'static str,
    /// What is special about it.
    pub name: &'static str,
    /// The input.
    pub bytes: Vec<u8>,
}

fn seed(target: &'static str, name: &'static str, bytes: impl Into<Vec<u8>>) -> Seed {
    let bytes = bytes.into();
    Seed {
        target,
        name,
        bytes,
    }
}

/// The simulated AMD; `folder` keeps its keys, whose making takes seconds. Those of the others follow from a number.
pub fn vendor(folder: &Path) -> Result<Amd, SimulateError> {
    Amd::open_or_create(folder, NOW, &mut |step| eprintln!("  {step}"))
}

/// Those of one target, to mutate.
pub fn of(seeds: &[Seed], target: &Target) -> Vec<Vec<u8>> {
    let wanted = seeds.iter().filter(|seed| seed.target == target.name);
    wanted.map(|seed| seed.bytes.clone()).collect()
}

/// Writes them as libFuzzer reads them: a folder for each target, a file for each seed.
pub fn write(seeds: &[Seed], folder: &Path) -> io::Result<()> {
    for Seed {
        target,
        name,
        bytes,
    } in seeds
    {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
