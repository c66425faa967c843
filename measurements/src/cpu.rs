//! The CPU types of QEMU. The digest counts the type that a guest is started with, by its signature, in each virtual CPU's first state.

use std::{fmt, str::FromStr};

use crate::MeasureError;

/// A CPU type: as QEMU names it, such as `EPYC-v4`, or by its signature alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuType {
    /// None if only the signature is known, as with `-cpu host`.
    name: Option<&'static str>,
    signature: u32,
}

/// Family, model and stepping as CPUID function 1 has them in EAX (AMD 25481).
const fn signature(family: u32, model: u32, stepping: u32) -> u32 {
    (family - BASE_FAMILY) << 20
        | (model >> 4) << 16
        | BASE_FAMILY << 8
        | (model & 0xF) << 4
        | stepping
}

/// The first part of the family, the same for every CPU with SEV.
const BASE_FAMILY: u32 = 0xF;
/// Bits of the signature that are reserved.
const RESERVED: u32 = 0xF000_F000;

const NAPLES: u32 = signature(23, 1, 2);
const ROME: u32 = signature(23, 49, 0);
const MILAN: u32 = signature(25, 1, 1);
const GENOA: u32 = signature(25, 17, 0);
const TURIN: u32 = signature(26, 0, 0);

const fn named(name: &'static str, signature: u32) -> CpuType {
    let name = Some(name);
    CpuType { name, signature }
}

impl CpuType {
    /// The default for guests: every machine with SNP can run it.
    pub const EPYC_V4: Self = named("EPYC-v4", NAPLES);

    /// Every QEMU type for which a digest can be computed, up to QEMU 11. A version changes what the CPU can do, never its signature.
    pub const ALL: [Self; 23] = [
        named("EPYC", NAPLES),
        named("EPYC-v1", NAPLES),
        named("EPYC-v2", NAPLES),
        named("EPYC-IBPB", NAPLES),
        named("EPYC-v3", NAPLES),
        Self::EPYC_V4,
        named("EPYC-v5", NAPLES),
        named("EPYC-Rome", ROME),
        named("EPYC-Rome-v1", ROME),
        named("EPYC-Rome-v2", ROME),
        named("EPYC-Rome-v3", ROME),
        named("EPYC-Rome-v4", ROME),
        named("EPYC-Rome-v5", ROME),
        named("EPYC-Milan", MILAN),
        named("EPYC-Milan-v1", MILAN),
        named("EPYC-Milan-v2", MILAN),
        named("EPYC-Milan-v3", MILAN),
        named("EPYC-Genoa", GENOA),
        named("EPYC-Genoa-v1", GENOA),
        named("EPYC-Genoa-v2", GENOA),
        named("EPYC-Turin", TURIN),
        named("EPYC-Turin-v1", TURIN),
        named("EPYC-Turin-v2", TURIN),
    ];

    /// All names, for the error about a mistyped one.
    fn names() -> String {
        Self::ALL.map(|cpu| cpu.to_string()).join(", ")
    }

    /// The name for QEMU's `-cpu`; none if only the signature is known.
    pub fn name(self) -> Option<&'static str> {
        self.name
    }

    /// EAX of CPUID function 1, which is what the digest counts.
    pub fn signature(self) -> u32 {
        self.signature
    }

    /// A type by its signature.
    fn of_signature(signature: u32) -> Option<Self> {
        let is_known = signature >> 8 & 0xF == BASE_FAMILY && signature & RESERVED == 0;
        is_known.then_some(Self {
            name: None,
            signature,
        })
    }
}

impl FromStr for CpuType {
    type Err = MeasureError;

    /// Takes QEMU's name, the same without `EPYC-`, or the signature: in hex after `0x`, or in decimal.
    fn from_str(text: &str) -> Result<Self, MeasureError> {
        let unknown = || MeasureError::CpuType {
            name: text.to_owned(),
            known: Self::names(),
        };
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            let number = match text.strip_prefix("0x") {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => text.parse(),
            };
            let signature = number.map_err(|_| unknown())?;
            return Self::of_signature(signature).ok_or(MeasureError::CpuSignature { signature });
        }
        let is_named = |cpu: &Self| {
            let full = cpu.name.unwrap_or_default();
            full == text || full.strip_prefix("EPYC-") == Some(text)
        };
        Self::ALL.into_iter().find(is_named).ok_or_else(unknown)
    }
}

impl fmt::Display for CpuType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x}", self.signature),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_the_type_they_name() {
        for cpu in CpuType::ALL {
            assert_eq!(cpu.to_string().parse::<CpuType>().unwrap(), cpu);
        }
    }

    #[test]
    fn the_family_may_be_left_out() {
        assert_eq!(
            "Milan".parse::<CpuType>().unwrap().to_string(),
            "EPYC-Milan"
        );
        assert_eq!(
            "Turin-v2".parse::<CpuType>().unwrap().to_string(),
            "EPYC-Turin-v2"
        );
        assert_eq!("v4".parse::<CpuType>().unwrap(), CpuType::EPYC_V4);
        assert!("".parse::<CpuType>().is_err());
    }

    /// As QEMU 10 and 11 define them in target/i386/cpu.c.
    #[test]
    fn signatures_are_those_of_family_model_and_stepping() {
        for (name, signature) in [
            ("EPYC-v5", 0x0080_0F12),
            ("EPYC-Rome-v5", 0x0083_0F10),
            ("EPYC-Milan-v3", 0x00A0_0F11),
            ("EPYC-Genoa-v2", 0x00A1_0F10),
            ("EPYC-Turin", 0x00B0_0F00),
        ] {
            assert_eq!(
                name.parse::<CpuType>().unwrap().signature(),
                signature,
                "{name}"
            );
        }
    }

    #[test]
    fn a_signature_is_a_number_in_hex_or_decimal() {
        for text in ["0xa10f11", "0x00A10F11", "10555153"] {
            let cpu: CpuType = text.parse().unwrap();
            assert_eq!((cpu.signature(), cpu.name()), (0x00A1_0F11, None), "{text}");
            assert_eq!(cpu.to_string(), "0xa10f11");
        }
        for text in ["4", "0x4", "0", "0xa10011", "0xf0a10f11", "0xa1ff11"] {
            let error = text.parse::<CpuType>().unwrap_err();
            assert!(
                matches!(error, MeasureError::CpuSignature { .. }),
                "{text}: {error}"
            );
        }
        for text in ["0x", "0xg", "0x100000000", "4294967296", "25-17-1"] {
            let error = text.parse::<CpuType>().unwrap_err();
            assert!(
                matches!(error, MeasureError::CpuType { .. }),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn an_unknown_type_is_answered_with_the_known_ones() {
        let error = "EPYC-v9".parse::<CpuType>().unwrap_err().to_string();
        assert!(
            error.starts_with("unknown CPU type \"EPYC-v9\"; known are EPYC, "),
            "{error}"
        );
        assert!(error.contains("EPYC-Turin-v2"), "{error}");
        assert!(
            error.contains("or give its CPUID signature, such as 0xa10f11"),
            "{error}"
        );
    }
}
