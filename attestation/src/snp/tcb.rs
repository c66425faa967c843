//! Firmware security levels. They are compared component by component, never as one number.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::product::Product;

/// A `TCB_VERSION` as a report stores it. Which byte means what depends on the product line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcbVersion(pub [u8; 8]);

/// The security patch level of each firmware component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "struct MinimumTcb")]
pub struct Tcb {
    /// Turin's management controller; `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fmc: Option<u8>,
    /// The security processor's boot loader.
    pub bootloader: u8,
    /// The security processor's operating system.
    pub tee: u8,
    /// The SNP firmware.
    pub snp: u8,
    /// The lowest microcode level of all cores.
    pub microcode: u8,
}

impl TcbVersion {
    /// The components, in the layout of the product line. `None` if a reserved byte is set.
    pub fn components(self, product: Product) -> Option<Tcb> {
        let (tcb, reserved) = match (product, self.0) {
            (Product::Milan | Product::Genoa, [bootloader, tee, a, b, c, d, snp, microcode]) => (
                Tcb {
                    fmc: None,
                    bootloader,
                    tee,
                    snp,
                    microcode,
                },
                a | b | c | d,
            ),
            (Product::Turin, [fmc, bootloader, tee, snp, a, b, c, microcode]) => (
                Tcb {
                    fmc: Some(fmc),
                    bootloader,
                    tee,
                    snp,
                    microcode,
                },
                a | b | c,
            ),
        };
        (reserved == 0).then_some(tcb)
    }
}

impl Tcb {
    /// The bytes as in a report. Without an FMC level the layout is that of Milan and Genoa.
    pub fn encode(self) -> TcbVersion {
        let Self {
            fmc,
            bootloader,
            tee,
            snp,
            microcode,
        } = self;
        TcbVersion(match fmc {
            None => [bootloader, tee, 0, 0, 0, 0, snp, microcode],
            Some(fmc) => [fmc, bootloader, tee, snp, 0, 0, 0, microcode],
        })
    }

    /// The first component that is lower than in `floor`: its name, its level, the required level.
    pub fn below(&self, floor: &Self) -> Option<(&'static str, u8, u8)> {
        let pairs = [
            ("fmc", self.fmc.unwrap_or(0), floor.fmc.unwrap_or(0)),
            ("bootloader", self.bootloader, floor.bootloader),
            ("tee", self.tee, floor.tee),
            ("snp", self.snp, floor.snp),
            ("microcode", self.microcode, floor.microcode),
        ];
        pairs.into_iter().find(|(_, level, floor)| level < floor)
    }
}

impl fmt::Display for Tcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fmc) = self.fmc {
            write!(f, "fmc {fmc}, ")?;
        }
        let Self {
            bootloader,
            tee,
            snp,
            microcode,
            ..
        } = self;
        write!(
            f,
            "bootloader {bootloader}, tee {tee}, snp {snp}, microcode {microcode}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turin_has_its_own_layout() {
        let bytes = TcbVersion([1, 2, 3, 4, 0, 0, 0, 5]);
        let turin = Tcb {
            fmc: Some(1),
            bootloader: 2,
            tee: 3,
            snp: 4,
            microcode: 5,
        };
        assert_eq!(bytes.components(Product::Turin), Some(turin));
        assert_eq!(turin.encode(), bytes);
        assert_eq!(bytes.components(Product::Genoa), None);
    }

    #[test]
    fn one_lower_component_is_lower() {
        let floor = Tcb {
            fmc: None,
            bootloader: 4,
            tee: 0,
            snp: 24,
            microcode: 219,
        };
        let level = Tcb {
            bootloader: 9,
            snp: 23,
            ..floor
        };
        assert_eq!(level.below(&floor), Some(("snp", 23, 24)));
        assert_eq!(floor.below(&level), Some(("bootloader", 4, 9)));
        assert_eq!(floor.below(&floor), None);
    }
}
