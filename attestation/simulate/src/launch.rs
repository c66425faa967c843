//! What a guest was launched with, that is, what a host passes to the security processor.

use chrysalis_attestation::snp::{
    bits::{GuestPolicy, PlatformInfo},
    firmware::Firmware,
};

/// A guest as the simulated processor knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// MEASUREMENT: computed by `chrysalis-measure` from the files that the guest boots.
    pub launch_digest: [u8; 48],
    /// `HOST_DATA`: the digest of the guest's configuration.
    pub host_data: [u8; 32],
    /// What the guest's owner allows the host.
    pub policy: GuestPolicy,
    /// The privilege level that requests reports.
    pub vmpl: u32,
    /// The guest's security version.
    pub guest_svn: u32,
    /// Identifies this guest instance: random, one per launch.
    pub report_id: [u8; 32],
    /// How the platform is configured.
    pub platform_info: PlatformInfo,
    /// The version of the SEV firmware.
    pub firmware: Firmware,
}

impl Launch {
    /// A guest on a well-configured production machine: no debugging, no migration, VMPL 0, ECC and the alias check on.
    pub fn new(launch_digest: [u8; 48], host_data: [u8; 32], report_id: [u8; 32]) -> Self {
        Self {
            launch_digest,
            host_data,
            policy: GuestPolicy::STRICT,
            vmpl: 0,
            guest_svn: 0,
            report_id,
            platform_info: PlatformInfo(SMT_ECC_ALIAS_CHECK),
            firmware: Firmware {
                major: 1,
                minor: 55,
                build: 49,
            },
        }
    }
}

/// `PLATFORM_INFO` of a Genoa machine with current firmware.
const SMT_ECC_ALIAS_CHECK: u64 = 1 | 1 << 2 | 1 << 5;
