//! RIM indices, as listed in a rejection.

use std::fmt;

/// Some RIM indices, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indices(pub Vec<u8>);

impl fmt::Display for Indices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, index) in self.0.iter().enumerate() {
            write!(f, "{}{index}", if place == 0 { "index " } else { ", " })?;
        }
        Ok(())
    }
}
