//! The files of a run: image, configuration and weights, checked for a clear message before anything boots. The enclave
//! decides for itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{anyhow, bail};
use chrysalis_measure::Image;
use chrysalis_wire::configuration::{Configuration, Model};

use super::options::RunOptions;

/// Hashes in a block of a dm-verity tree.
const HASHES_PER_BLOCK: u64 = Model::BLOCK / 32;

/// What a guest is made of.
pub(super) struct Files {
    pub(super) image: Image,
    /// The configuration's bytes, which are measured.
    pub(super) configuration: Vec<u8>,
    pub(super) parsed: Configuration,
    pub(super) weights: PathBuf,
}

impl Files {
    /// Opens what the provider named.
    pub(super) fn open(options: &RunOptions) -> anyhow::Result<Self> {
        let image = Image::open(&options.image)
            .map_err(|error| anyhow!("{error}\nhint: make build/cpu with `make image`"))?;
        let path = options.configuration.display();
        let configuration = fs::read(&options.configuration).map_err(|error| {
            anyhow!(
                "cannot read the configuration {path}: {error}\nhint: make one with `make image`"
            )
        })?;
        let parsed = Configuration::parse(&configuration).map_err(|error| {
            anyhow!("{path}: {error}\nhint: correct it, or make it anew with `make image`")
        })?;
        Ok(Self {
            weights: weights(&options.weights, &parsed.model)?,
            image,
            configuration,
            parsed,
        })
    }
}

/// The whole path of the disk of weights, if it has the model's size.
fn weights(path: &Path, model: &Model) -> anyhow::Result<PathBuf> {
    let shown = path.display();
    let unreadable = |error: io::Error| {
        anyhow!("cannot read the weights {shown}: {error}\nhint: make them with `make image`")
    };
    let weights = fs::canonicalize(path).map_err(unreadable)?;
    let size = fs::metadata(&weights).map_err(unreadable)?.len();
    let wanted = disk_size(model);
    if size != wanted {
        bail!(
            "the weights {shown} have {size} bytes, but those of {} and their hash tree have {wanted}\n\
             hint: give the file that was made together with the configuration",
            model.name
        );
    }
    Ok(weights)
}

/// Bytes of the weights, padded to whole blocks, and of the dm-verity tree behind them.
fn disk_size(model: &Model) -> u64 {
    let mut level = model.data_blocks();
    let mut blocks = level;
    while level > 1 {
        level = level.div_ceil(HASHES_PER_BLOCK);
        blocks = blocks.saturating_add(level);
    }
    blocks.saturating_mul(Model::BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(size: u64) -> Model {
        let digest = "00".repeat(32);
        Model {
            name: "m".to_owned(),
            size,
            sha256: digest.clone(),
            verity_root: digest.clone(),
            verity_salt: digest,
        }
    }

    #[test]
    fn knows_the_size_of_a_disk_with_its_tree() {
        // As `veritysetup format --no-superblock` makes them.
        assert_eq!(disk_size(&model(1)), 4096);
        assert_eq!(disk_size(&model(4097)), (2 + 1) * 4096);
        assert_eq!(disk_size(&model(128 * 4096)), (128 + 1) * 4096);
        assert_eq!(disk_size(&model(129 * 4096)), (129 + 2 + 1) * 4096);
    }
}
