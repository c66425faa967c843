//! Versions of the SEV firmware.

use std::fmt;

/// A version of the SEV firmware, in version order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Firmware {
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Build number.
    pub build: u8,
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

impl Firmware {
    /// Reads it as a report stores it.
    pub(super) fn encode(self) -> [u8; 4] {
        [self.build, self.minor, self.major, 0]
    }
}
