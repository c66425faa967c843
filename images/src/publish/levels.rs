//! The lowest firmware levels that a publisher or a relying party accepts, from a file.

use std::{collections::BTreeMap, path::Path};

use chrysalis_attestation::{
    release::MinimumTcb,
    snp::{
        broken,
        floor::{Floor, FloorError},
        product::Product,
    },
};

use super::{error::Error, files::read};

const MAX_FILE: usize = 16 * 1024;

/// Levels by product line, as manifests have them.
pub type Levels = BTreeMap<Product, MinimumTcb>;

/// A file of levels, `genoa = { … }` and its kin. Each of them must be able to serve as a floor.
pub fn read_levels(path: &Path) -> Result<Levels, Error> {
    let text = String::from_utf8(read(path, MAX_FILE)?).unwrap_or_default();
    let levels: Levels = toml::from_str(&text).map_err(|error| {
        Error::unfit(path, format!("has no firmware levels; write [genoa] with bootloader, tee, snp and microcode: {error}"))
    })?;
    if let Some(broken) = levels.keys().find_map(|product| broken::of(*product)) {
        let line = broken.product.name().to_lowercase();
        return Err(Error::unfit(
            path,
            format!("cannot be used: {broken}; no level helps, so remove {line} from it"),
        ));
    }
    floor(&levels).map_err(|error| Error::unfit(path, format!("cannot be used: {error}")))?;
    Ok(levels)
}

/// The floor that these levels are.
pub fn floor(levels: &Levels) -> Result<Floor, FloorError> {
    let levels = levels.iter();
    Floor::each(levels.map(|(product, levels)| (*product, *levels)))
}
