//! Steps tdx-1 to tdx-7: is the quote genuine?

use super::{
    steps::{Findings, Grounds, Procedure},
    td::Td,
};
use crate::{
    Time,
    encoding::digest::Hex,
    transcript::{Failed, Inspection},
};

/// A TD that Intel (or a named simulation of it) vouches for. Whether its platform is current enough is not decided yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genuine {
    pub(crate) td: Td,
    root: Hex<32>,
    simulated: bool,
    until: Time,
}

/// The steps. Where patience goes past a failure, the result is as if the check had passed: only [`Inspection::finish`] makes it
/// count. Without a TD, the collateral does not say how current its platform is.
pub(crate) fn authenticate(
    quote: &[u8],
    grounds: Grounds<'_>,
    inspection: &mut Inspection,
) -> Result<Findings, Failed> {
    Procedure::new(grounds, inspection).run(quote)
}

impl Findings {
    /// The TD, if its platform's standing is known.
    pub(crate) fn complete(self) -> Result<Genuine, Failed> {
        Ok(Genuine {
            td: self.td?,
            root: self.root,
            simulated: self.simulated,
            until: self.until,
        })
    }
}

impl Genuine {
    /// The TD and its platform.
    pub fn td(&self) -> &Td {
        &self.td
    }

    /// SHA-256 of the root.
    pub fn root(&self) -> Hex<32> {
        self.root
    }

    /// Whether that root is a simulated one.
    pub fn simulated(&self) -> bool {
        self.simulated
    }

    /// When the first certificate, list or document that this rests on expires.
    pub fn until(&self) -> Time {
        self.until
    }
}
