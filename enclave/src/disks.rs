//! The third step: the disks of engines and models. On the machine they come from the host, read through dm-verity, so that
//! every block hashes up to a root in the configuration. A process takes them from a folder. Either way the weights are
//! those of the configuration, to the last byte.

mod digest;
pub(crate) mod virtio;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrysalis_wire::{
    boot::Stage,
    configuration::{Disk, Model},
};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::{
    boot::Ground,
    configuration::{Configured, Measured},
    failure::Failure,
    machine::Machine,
};

/// Where file systems are mounted.
const PLACE: &str = "/disks";

/// An enclave whose engines and models are those in the configuration.
pub(crate) struct Opened {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) disks: Disks,
}

/// Where the disks are.
#[derive(Debug, Clone)]
pub(crate) enum Disks {
    /// Devices that dm-verity watches.
    Verified,
    /// A folder, for an enclave that is an ordinary process.
    Folder(PathBuf),
}

impl Configured {
    /// Opens every disk and reads all of it once: corruption anywhere stops the boot rather than an answer, and engines find
    /// their files in memory.
    pub(crate) async fn open_disks(self) -> Result<Opened, Failure> {
        let configuration = &self.measured.configuration;
        let disks = match (self.ground.machine, &self.ground.words.disks) {
            (Machine::Own, _) => Disks::Verified,
            (Machine::Shared, Some(folder)) => Disks::Folder(folder.clone()),
            (Machine::Shared, None) => {
                return Err(Failure::DiskMissing {
                    place: "disks=FOLDER".into(),
                    why: io::ErrorKind::NotFound.into(),
                });
            }
        };
        for disk in configuration.open_disks() {
            disks.open(disk)?;
        }
        self.ground.progress.passed(Stage::DisksOpened).await;
        for engine in &configuration.engines {
            disks.mount(&engine.disk)?;
            disks.read_all(&engine.disk)?;
        }
        for model in configuration.models.iter().filter(|model| !model.sealed) {
            disks.check_weights(model)?;
        }
        self.ground.progress.passed(Stage::DisksVerified).await;
        Ok(Opened {
            ground: self.ground,
            measured: self.measured,
            disks,
        })
    }
}

impl Disks {
    /// Where an engine's tree is.
    pub(crate) fn tree(&self, disk: &Disk) -> PathBuf {
        match self {
            Self::Verified => Path::new(PLACE).join(&disk.root),
            Self::Folder(folder) => folder.join(&disk.root),
        }
    }

    /// Where a model is: a file or a device, or a folder.
    pub(crate) fn model(&self, model: &Model) -> PathBuf {
        match model.size {
            Some(_) => self.raw(&model.disk),
            None => self.tree(&model.disk),
        }
    }

    /// The disk's own bytes.
    fn raw(&self, disk: &Disk) -> PathBuf {
        match self {
            Self::Verified => virtio::verified(disk),
            Self::Folder(folder) => folder.join(disk.file()),
        }
    }

    fn open(&self, disk: &Disk) -> Result<(), Failure> {
        match self {
            Self::Verified => virtio::open(disk),
            Self::Folder(_) => Ok(()),
        }
    }

    /// Opens a sealed disk with its key. A folder has it open already: whoever runs a process can read all that it reads.
    pub(crate) fn unseal(&self, disk: &Disk, key: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Verified => virtio::unseal(disk, key),
            Self::Folder(_) => Ok(()),
        }
    }

    /// Closes a sealed disk that nobody may read any more, and forgets its key; at the latest when its last reader has gone.
    pub(crate) fn seal(&self, disk: &Disk) {
        if let Self::Verified = self {
            let place = self.tree(disk);
            let _ = unmount(&place, UnmountFlags::DETACH);
            if let Err((step, why)) = virtio::seal(disk) {
                tracing::error!(step, %why, "a sealed disk stays open");
            }
        }
    }

    fn mount(&self, disk: &Disk) -> Result<(), Failure> {
        let place = self.tree(disk);
        let missing = |why| Failure::DiskMissing {
            place: place.clone(),
            why,
        };
        match self {
            Self::Folder(_) => fs::metadata(&place).map(drop).map_err(missing),
            Self::Verified if place.exists() => Ok(()),
            Self::Verified => {
                fs::create_dir_all(&place).map_err(Failure::machine("make a place for a disk"))?;
                let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
                mount(self.raw(disk), &place, "squashfs", flags, None).map_err(|error| {
                    Failure::DiskWrong {
                        what: format!("the disk {} holds no file system", disk.root),
                        why: error.to_string(),
                    }
                })
            }
        }
    }

    /// A folder's files are read one by one where they are used; nothing watches them.
    fn read_all(&self, disk: &Disk) -> Result<(), Failure> {
        match self {
            Self::Verified => digest::read(&self.raw(disk), disk.data(), |_| ()),
            Self::Folder(_) => Ok(()),
        }
    }

    pub(crate) fn check_weights(&self, model: &Model) -> Result<(), Failure> {
        let found = if let Some(size) = model.size {
            digest::of_file(&self.raw(&model.disk), size)?
        } else {
            self.mount(&model.disk)?;
            digest::of_folder(&self.tree(&model.disk))?
        };
        if found == model.weights {
            return Ok(());
        }
        Err(Failure::DiskWrong {
            what: format!("the weights of {} are not the configuration's", model.name),
            why: format!("they have the SHA-256 {found}, not {}", model.weights),
        })
    }
}
