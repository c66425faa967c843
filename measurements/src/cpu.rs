//! The CPU types of QEMU: the digest counts the one that a guest is started with, in each virtual CPU's first state.

use crate::MeasureError;
use sev::measurement::vcpu_types::CpuType as Sev;
use std::{fmt, str::FromStr};

/// A CPU type as QEMU names it, such as `EPYC-v4`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuType(pub(crate) Sev);

impl CpuType {
    /// What guests run as unless told otherwise: every machine with SNP can.
    pub const EPYC_V4: Self = Self(Sev::EpycV4);

    /// Every type that a digest can be computed for.
    pub const ALL: [Self; 18] = [
        Self(Sev::Epyc),
        Self(Sev::EpycV1),
        Self(Sev::EpycV2),
        Self(Sev::EpycIBPB),
        Self(Sev::EpycV3),
        Self(Sev::EpycV4),
        Self(Sev::EpycRome),
        Self(Sev::EpycRomeV1),
        Self(Sev::EpycRomeV2),
        Self(Sev::EpycRomeV3),
        Self(Sev::EpycMilan),
        Self(Sev::EpycMilanV1),
        Self(Sev::EpycMilanV2),
        Self(Sev::EpycGenoa),
        Self(Sev::EpycGenoaV1),
        Self(Sev::EpycTurin),
        Self(Sev::EpycTurinV1),
        Self(Sev::EpycTurinV2),
    ];

    /// All names, for a person who mistyped one.
    pub(crate) fn names() -> String {
        Self::ALL.map(|cpu| cpu.to_string()).join(", ")
    }
}

impl FromStr for CpuType {
    type Err = MeasureError;

    /// QEMU's name, or the same without `EPYC-`.
    fn from_str(name: &str) -> Result<Self, MeasureError> {
        let named = |cpu: &Self| {
            let full = cpu.to_string();
            full == name || full.strip_prefix("EPYC-") == Some(name)
        };
        let found = Self::ALL.into_iter().find(named);
        found.ok_or_else(|| MeasureError::CpuType {
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for CpuType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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

    #[test]
    fn an_unknown_type_is_answered_with_the_known_ones() {
        let error = "EPYC-v9".parse::<CpuType>().unwrap_err().to_string();
        assert!(
            error.starts_with("unknown CPU type \"EPYC-v9\"; known are EPYC, "),
            "{error}"
        );
        assert!(error.ends_with("EPYC-Turin-v2"), "{error}");
    }
}
