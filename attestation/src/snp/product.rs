//! The product lines that AMD endorses, each under its own root, and which CPUs belong to them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A product line with its own root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Product {
    /// Zen 3.
    Milan,
    /// Zen 4: Genoa, and Bergamo and Siena under the same root.
    Genoa,
    /// Zen 5.
    Turin,
}

/// CPUID family, model and stepping, combined, as a report stores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpuid {
    /// 0x19 for Zen 3 and 4, 0x1A for Zen 5.
    pub family: u8,
    /// Which product of the family.
    pub model: u8,
    /// Which revision of the product.
    pub stepping: u8,
}

impl fmt::Display for Cpuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "family {:#x}, model {:#x}", self.family, self.model)
    }
}

impl Product {
    /// All lines, oldest first.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// The line of a CPU, if its root is known.
    pub fn of(cpuid: Cpuid) -> Option<Self> {
        match (cpuid.family, cpuid.model) {
            (0x19, 0x00..=0x0F) => Some(Self::Milan),
            (0x19, 0x10..=0x1F | 0xA0..=0xAF) => Some(Self::Genoa),
            (0x1A, 0x00..=0x11) => Some(Self::Turin),
            _ => None,
        }
    }

    /// As AMD spells it in certificates: `Genoa`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// The line with this exact spelling.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.name() == name)
    }

    /// Whether its firmware levels include one for a management controller (FMC).
    pub fn has_fmc(self) -> bool {
        match self {
            Self::Milan | Self::Genoa => false,
            Self::Turin => true,
        }
    }

    /// How many bytes of a hardware identity are in use; the rest of `CHIP_ID` is zero.
    pub fn hardware_id_size(self) -> usize {
        match self {
            Self::Milan | Self::Genoa => 64,
            Self::Turin => 8,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(family: u8, model: u8) -> Option<Product> {
        Product::of(Cpuid {
            family,
            model,
            stepping: 1,
        })
    }

    #[test]
    fn lines_begin_and_end_where_amd_says() {
        assert_eq!(of(0x19, 0x00), Some(Product::Milan));
        assert_eq!(of(0x19, 0x0F), Some(Product::Milan));
        assert_eq!(of(0x19, 0x10), Some(Product::Genoa));
        assert_eq!(of(0x19, 0x1F), Some(Product::Genoa));
        assert_eq!(of(0x19, 0x20), None);
        assert_eq!(of(0x19, 0xA0), Some(Product::Genoa));
        assert_eq!(of(0x19, 0xB0), None);
        assert_eq!(of(0x1A, 0x11), Some(Product::Turin));
        assert_eq!(of(0x1A, 0x12), None);
        assert_eq!(of(0x1A, 0x50), None, "Venice has no known root");
        assert_eq!(of(0x17, 0x01), None);
    }
}
