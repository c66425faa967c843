//! Debian packages that a disk takes files from, each fetched and unpacked once.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::{
    Error,
    inputs::{fetch::Fetcher, lock::Input, package::Deb},
};

/// Those that were asked for so far.
pub(super) struct Packages<'image> {
    fetcher: &'image Fetcher,
    unpacked: BTreeMap<String, (Input, Deb)>,
}

impl<'image> Packages<'image> {
    pub(super) fn new(fetcher: &'image Fetcher) -> Self {
        Self {
            fetcher,
            unpacked: BTreeMap::new(),
        }
    }

    /// The files of a package.
    pub(super) fn deb(&mut self, pin: &Input) -> Result<&Deb, Error> {
        let (_, deb) = match self.unpacked.entry(pin.name.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert((pin.clone(), self.fetcher.deb(pin)?)),
        };
        Ok(deb)
    }

    /// The pins of all of them.
    pub(super) fn pins(self) -> Vec<Input> {
        let pins = self.unpacked.into_values().map(|(pin, _)| pin);
        pins.collect()
    }
}
