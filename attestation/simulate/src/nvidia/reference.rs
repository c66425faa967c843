//! What the simulated devices report, and their manifests expect.

use chrysalis_attestation::encoding::digest::sha384;

/// The driver that the simulated GPUs report.
pub const DRIVER: &str = "550.90.07";
/// The firmware that the simulated GPUs report.
pub const VBIOS: &str = "96.00.9F.00.01";
/// The indices that the driver's manifest speaks of; 35 counts only while the first video decoder is on.
pub(super) const DRIVER_INDICES: [u8; 3] = [1, 2, 35];
/// The indices that the VBIOS's manifest speaks of.
pub(super) const VBIOS_INDICES: [u8; 2] = [3, 4];

/// The firmware that the simulated switches report.
pub const SWITCH_FIRMWARE: &str = "96.10.55.00.01";
/// The indices that the switches' manifest speaks of.
pub(super) const SWITCH_INDICES: [u8; 3] = [0, 5, 30];

/// What the simulated GPUs measure at an index, and what the manifests expect there.
pub fn golden(index: u8) -> [u8; 48] {
    sha384(&[b"simulated measurement", &[index]])
}
