//! What a relying party requires of an SEV-SNP report. Read from TOML by [`crate::policy`]; unset means strict.

use std::collections::BTreeMap;

use super::{broken::Accepted, firmware::Firmware, floor::Floor, product::Product};
use crate::transcript::Expect;

/// What a policy requires of an SEV-SNP report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one bit of the report, by its name"
)]
pub struct SnpPolicy {
    /// `launch_digest`, required: MEASUREMENT, 48 bytes.
    pub launch_digest: Expect<[u8; 48]>,
    /// `minimum_tcb`, required: the floor for `REPORTED_TCB`, component by component, for each product line
    /// (`minimum_tcb.genoa = { … }`). The line's name may be left out where `products` names only one line.
    pub minimum_tcb: Floor,
    /// `minimum_committed_tcb`: the floor for `COMMITTED_TCB`, below which the host cannot go back. Default: `minimum_tcb`.
    pub minimum_committed_tcb: Option<Floor>,
    /// `minimum_launch_tcb`: the floor for `LAUNCH_TCB`. Default: open.
    pub minimum_launch_tcb: Option<Floor>,
    /// `minimum_firmware = "1.55.40"`: the oldest SEV firmware that may run. Default: open.
    pub minimum_firmware: Option<Firmware>,
    /// `provisional_firmware`: whether firmware may run that can still be rolled back, as on an honest host between an update
    /// and its commit. Default: false.
    pub provisional_firmware: bool,
    /// `products`. Default: the lines that have a floor; without floors, every line.
    pub products: Expect<Product>,
    /// `broken = { milan = { unchecked = "why" } }`: accepts a product line whose evidence is known to prove nothing
    /// ([`broken::KNOWN`](crate::snp::broken::KNOWN)). Default: none.
    pub broken: Accepted,
    /// `versions` of the report's layout. Default: 3, 4 and 5. Version 2 does not say which CPU it is.
    pub versions: Expect<u32>,
    /// `vmpl`: who may ask for the report. Default: 0, the most privileged level of the guest.
    pub vmpl: Expect<u32>,
    /// `debug`: whether a guest is accepted whose memory the host can read. Default: false.
    pub debug: bool,
    /// `migration`: whether a migration agent is allowed. Default: false.
    pub migration: bool,
    /// `smt`: whether the guest may run on sibling threads. Default: true.
    pub smt: bool,
    /// `cxl`: whether memory may sit behind CXL. Default: false.
    pub cxl: bool,
    /// `single_socket`: whether the guest must ask for one socket. Default: false.
    pub single_socket: bool,
    /// `aes_256_xts`: whether the guest must ask for AES-256-XTS. Default: false.
    pub aes_256_xts: bool,
    /// `rapl_off`: whether the guest must ask for power readings to be off. Default: false.
    pub rapl_off: bool,
    /// `ciphertext_hiding`: whether the guest must ask for ciphertext to be hidden. Default: false.
    pub ciphertext_hiding: bool,
    /// `page_swap_off`: whether the guest must forbid the host to swap its pages. Default: false.
    pub page_swap_off: bool,
    /// `minimum_abi = "1.55"`: the lowest minimum of the firmware interface that the guest may ask for. Default: open.
    pub minimum_abi: Option<(u8, u8)>,
    /// `[snp.platform]`.
    pub platform: PlatformPolicy,
    /// `minimum_guest_svn`: the floor for `GUEST_SVN`. Default: 0.
    pub minimum_guest_svn: u32,
    /// `mitigations = "0x3"`: bits that both mitigation vectors must have; report versions below 5 then fail. Default: open.
    pub mitigations: u64,
    /// `id_keys`: SHA-384 of ID keys; one of these, or one of `author_keys`, must have signed the ID block. Default: open.
    pub id_keys: Vec<[u8; 48]>,
    /// `author_keys`: SHA-384 of author keys; see `id_keys`. Default: open.
    pub author_keys: Vec<[u8; 48]>,
    /// `chips`: `CHIP_ID` as hex, 64 bytes, or 8 on Turin. Default: open.
    pub chips: Option<Expect<[u8; 64]>>,
    /// `masked_chip = { unchecked = "why" }`: accepts a report whose chip cannot be compared with the certificate, because the
    /// host masks it or a provider's key (VLEK) signed. Default: no.
    pub masked_chip: Option<String>,
    /// `revocation = { unchecked = "why" }`: accepts evidence without a revocation list. Default: no.
    pub revocation_unchecked: Option<String>,
    /// `family_id`, 16 bytes. Default: open.
    pub family_id: Option<Expect<[u8; 16]>>,
    /// `image_id`, 16 bytes. Default: open.
    pub image_id: Option<Expect<[u8; 16]>>,
    /// `report_id`, 32 bytes. Default: open.
    pub report_id: Option<Expect<[u8; 32]>>,
    /// `report_id_ma`, 32 bytes. Default: open.
    pub report_id_ma: Option<Expect<[u8; 32]>>,
    /// `pcrs = { 4 = ["…"] }`: PCRs of Azure's virtual TPM, SHA-256, each with the accepted values; evidence without a
    /// quote of them is then refused. Default: open.
    pub pcrs: BTreeMap<u8, Vec<[u8; 32]>>,
}

/// `[snp.platform]`: how the machine must be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one bit of the report, by its name"
)]
pub struct PlatformPolicy {
    /// `smt`: whether it may be on. Default: true.
    pub smt: bool,
    /// `tsme`: whether it may be on. Default: true.
    pub tsme: bool,
    /// `trusted_io`: whether it may be on. Default: false.
    pub trusted_io: bool,
    /// `ecc`: whether it must be on. Default: false.
    pub ecc: bool,
    /// `rapl_off`: whether power readings must be off. Default: false.
    pub rapl_off: bool,
    /// `ciphertext_hiding`: whether it must be on. Default: false.
    pub ciphertext_hiding: bool,
    /// `alias_check`: whether memory must have been searched for aliases (`BadRAM`). Default: true.
    pub alias_check: bool,
    /// `unknown_bits = "0x100"`: bits of `PLATFORM_INFO` that may be set although this verifier does not know their meaning. Default: none.
    pub unknown_bits: u64,
}
