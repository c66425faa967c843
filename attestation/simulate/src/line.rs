//! The simulated product lines: their names, numbers and report fields, as AMD has them.

use chrysalis_attestation::snp::{product::Cpuid, tcb::Tcb};

/// AMD's number for the Genoa ASK, for a revocation list that names it.
pub const ASK_SERIAL: u64 = 0x20002;

/// The firmware levels of the simulated chip: those of a Genoa machine that was up to date in 2026.
pub const TCB: Tcb = Tcb {
    fmc: None,
    bootloader: 10,
    tee: 0,
    snp: 27,
    microcode: 84,
};

/// What differs between product lines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its name in subjects, product extension and addresses.
    pub(crate) name: &'static str,
    /// Its CPUID in reports.
    pub(crate) cpuid: Cpuid,
    /// AMD's serial number for the root.
    pub(crate) ark_serial: u64,
    /// AMD's serial number for the intermediate that signs VCEKs.
    pub(crate) ask_serial: u64,
    /// AMD's serial number for the one that signs VLEKs.
    pub(crate) asvk_serial: u64,
}

/// Revision B1.
pub(crate) static GENOA: Line = Line {
    name: "Genoa",
    cpuid: Cpuid {
        family: 0x19,
        model: 0x11,
        stepping: 1,
    },
    ark_serial: 0x20000,
    ask_serial: ASK_SERIAL,
    asvk_serial: 0x20101,
};

/// Revision B1.
pub(crate) static MILAN: Line = Line {
    name: "Milan",
    cpuid: Cpuid {
        family: 0x19,
        model: 0x01,
        stepping: 1,
    },
    ark_serial: 0x10000,
    ask_serial: 0x10001,
    asvk_serial: 0x10101,
};
