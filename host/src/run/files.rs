//! The files of a run: image, configuration and disks, checked for a clear message before anything boots. The enclave decides for
//! itself.

use std::{fs, path::PathBuf};

use anyhow::anyhow;
use chrysalis_measure::Image;
use chrysalis_wire::configuration::Configuration;

use super::{
    disks::{self, Reader},
    options::RunOptions,
};
use crate::launch::disks::DiskFile;

/// What a guest is made of.
pub(super) struct Files {
    pub(super) image: Image,
    /// The configuration's bytes, which are measured.
    pub(super) configuration: Vec<u8>,
    pub(super) parsed: Configuration,
    /// The folder of disks, as a whole path.
    pub(super) folder: PathBuf,
    /// Those that the configuration names.
    pub(super) disks: Vec<DiskFile>,
}

impl Files {
    /// Opens what the provider named.
    pub(super) fn open(options: &RunOptions) -> anyhow::Result<Self> {
        let image = Image::open(&options.image)
            .map_err(|error| anyhow!("{error}\nhint: make build/cpu with `make image`"))?;
        let path = options.configuration.display();
        let configuration = fs::read(&options.configuration).map_err(|error| {
            anyhow!(
                "cannot read the configuration {path}: {error}\n\
                 hint: make one with `chrysalis-image configuration RECIPE --disks DIR --out {path}`"
            )
        })?;
        let parsed = Configuration::parse(&configuration).map_err(|error| {
            anyhow!(
                "{path}: {error}\n\
                 hint: correct it, or make it anew with `chrysalis-image configuration RECIPE --disks DIR --out {path}`"
            )
        })?;
        let reader = match options.without_vm {
            Some(_) => Reader::Process,
            None => Reader::Vm,
        };
        let (folder, disks) = disks::find(&options.disks, &parsed, reader)?;
        Ok(Self {
            image,
            configuration,
            parsed,
            folder,
            disks,
        })
    }
}
