//! The events of a boot, and the registers that they make.

use super::digest::{Sha384Digest, sha384};

/// What one event extends a register with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventDigest {
    /// This, wherever the image boots.
    Computed(Sha384Digest),
    /// What the machine decides; why it cannot be told from the image.
    Varies(&'static str),
}

/// One extension of a run-time register, in the order of a boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TdxEvent {
    /// Which register: 0 to 2. The guest's own software may extend 3.
    pub rtmr: u8,
    /// What is measured.
    pub name: &'static str,
    /// Its digest.
    pub digest: EventDigest,
}

/// All that can be told of an image's quote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TdxMeasurement {
    /// The pages that the firmware's metadata names, as the module adds and extends them.
    pub mrtd: Sha384Digest,
    /// Every event of the boot, by register.
    pub events: Vec<TdxEvent>,
}

impl TdxMeasurement {
    /// What a register holds when the kernel runs; `None` where one of its events varies.
    pub fn rtmr(&self, index: u8) -> Option<Sha384Digest> {
        let events = self.events.iter().filter(|event| event.rtmr == index);
        events.into_iter().try_fold([0; 48], |register, event| {
            let EventDigest::Computed(digest) = event.digest else {
                return None;
            };
            Some(sha384(&[&register, &digest]))
        })
    }
}
