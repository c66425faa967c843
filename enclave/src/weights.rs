//! The third step: the weights. On the machine they come on a disk from the host, read through dm-verity, so that every
//! block hashes up to the root in the configuration. A process takes them from a file whose digest is in the configuration.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use chrysalis_wire::{boot::Stage, configuration::Model};
use ring::digest;
use rustix::io::Errno;

use crate::{
    boot::Ground,
    configuration::{Configured, Measured},
    device_mapper::{self, DEVICE_PATIENCE, VerityTable},
    failure::Failure,
    machine::Machine,
};

/// The host's disk.
const DISK: &str = "/dev/vda";
/// What comes out of it through dm-verity.
const VERIFIED: &str = "/dev/weights";
/// How much is read at once.
const PIECE: usize = 1024 * 1024;

/// An enclave whose weights are those in the configuration, to the last byte.
pub(crate) struct Opened {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) weights: PathBuf,
}

impl Configured {
    /// Opens the weights and reads all of them once: corruption anywhere stops the boot rather than an answer, and the
    /// engine finds them in memory.
    pub(crate) async fn open_weights(self) -> Result<Opened, Failure> {
        let model = &self.measured.configuration.model;
        let weights = match (self.ground.machine, &self.ground.words.weights) {
            (Machine::Own, _) => {
                open_disk(model)?;
                self.ground.progress.passed(Stage::WeightsOpened).await;
                read_all(Path::new(VERIFIED), model)?;
                PathBuf::from(VERIFIED)
            }
            (Machine::Shared, Some(file)) => {
                check_digest(file, model)?;
                file.clone()
            }
            (Machine::Shared, None) => {
                return Err(Failure::WeightsMissing {
                    place: "weights=FILE".into(),
                    why: io::ErrorKind::NotFound.into(),
                });
            }
        };
        self.ground.progress.passed(Stage::WeightsVerified).await;
        Ok(Opened {
            ground: self.ground,
            measured: self.measured,
            weights,
        })
    }
}

fn open_disk(model: &Model) -> Result<(), Failure> {
    wait_for(Path::new(DISK))?;
    let table = VerityTable {
        device: DISK,
        data_blocks: model.data_blocks(),
        root: &model.verity_root,
        salt: &model.verity_salt,
    };
    let number = device_mapper::create_verity("weights", &table)
        .map_err(|(step, why)| Failure::Verity { step, why })?;
    device_mapper::make_node(Path::new(VERIFIED), number).map_err(|why| Failure::Verity {
        step: "make its node",
        why,
    })
}

fn wait_for(device: &Path) -> Result<(), Failure> {
    let deadline = Instant::now() + DEVICE_PATIENCE;
    while !device.exists() {
        if Instant::now() >= deadline {
            return Err(Failure::WeightsMissing {
                place: device.to_owned(),
                why: io::ErrorKind::NotFound.into(),
            });
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Reads through dm-verity, where a block that does not hash to its place is an I/O error.
fn read_all(device: &Path, model: &Model) -> Result<(), Failure> {
    let missing = |why| Failure::WeightsMissing {
        place: device.to_owned(),
        why,
    };
    let mut from = File::open(device).map_err(missing)?;
    let mut piece = vec![0; PIECE];
    let mut read: u64 = 0;
    while read < model.size {
        match from.read(&mut piece) {
            Ok(0) => {
                return Err(Failure::WeightsCorrupt(format!(
                    "they end after {read} of {} bytes",
                    model.size
                )));
            }
            Ok(length) => read = read.saturating_add(length as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => {
                return Err(Failure::WeightsCorrupt(format!(
                    "block {} does not hash to its place under the root {}",
                    read / Model::BLOCK,
                    model.verity_root
                )));
            }
            Err(error) => return Err(missing(error)),
        }
    }
    Ok(())
}

fn check_digest(file: &Path, model: &Model) -> Result<(), Failure> {
    let missing = |why| Failure::WeightsMissing {
        place: file.to_owned(),
        why,
    };
    let mut from = File::open(file).map_err(missing)?.take(model.size);
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => hash.update(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(missing(error)),
        }
    }
    let found = hex::encode(hash.finish());
    if found.eq_ignore_ascii_case(&model.sha256) {
        return Ok(());
    }
    Err(Failure::WeightsCorrupt(format!(
        "the first {} bytes of {} have the SHA-256 {found}, not {}",
        model.size,
        file.display(),
        model.sha256
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(bytes: &[u8]) -> Model {
        Model {
            name: "m".into(),
            size: bytes.len() as u64,
            sha256: hex::encode(digest::digest(&digest::SHA256, bytes)),
            verity_root: "00".repeat(32),
            verity_salt: "00".repeat(32),
        }
    }

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn takes_the_weights_and_leaves_what_follows_them() {
        let disk = file(b"weights, then the hash tree");
        check_digest(disk.path(), &model(b"weights")).unwrap();
    }

    #[test]
    fn refuses_weights_with_one_other_byte() {
        let disk = file(b"weighty");
        let refused = check_digest(disk.path(), &model(b"weights")).unwrap_err();
        assert_eq!(refused.code(), "weights_corrupt");
    }

    #[test]
    fn refuses_weights_that_end_early() {
        let disk = file(b"weigh");
        let refused = read_all(disk.path(), &model(b"weights")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the weights are not those of the configuration: they end after 5 of 7 bytes"
        );
    }

    #[test]
    fn names_weights_that_are_not_there() {
        let refused = check_digest(Path::new("/nonexistent"), &model(b"")).unwrap_err();
        assert_eq!(refused.code(), "weights_missing");
    }
}
