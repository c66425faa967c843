//! What a relying party wants, in TOML. Unset means strict; an unknown key is an error with the nearest name.
//!
//! ```
//! let policy = chrysalis_attestation::policy::Policy::parse(r#"
//!     version = 1
//!     [snp]
//!     launch_digest = ["000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"]
//!     minimum_tcb.genoa = { bootloader = 10, tee = 0, snp = 23, microcode = 84 }
//!     [configuration]
//!     sha256 = { unchecked = "any model will do" }
//! "#);
//! assert!(policy.is_ok());
//! ```

mod error;
mod floor;
mod gpu;
mod parse;
mod pcrs;
mod rebuilders;
mod release;
mod section;
mod tdx;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use error::{PolicyError, Problem};
pub use floor::{Floor, FloorError, Floors};
pub use release::ReleasePolicy;
pub use template::{GpuTemplate, SnpTemplate, TdxTemplate, Template};

use crate::{
    nvidia::GpuPolicy,
    release::Rebuilders,
    roots::Roots,
    snp::{broken::Accepted, product::Product, report::Firmware},
    tdx::TdxPolicy,
};

/// What a policy expects of one field. Nothing is unchecked by silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect<T> {
    /// One of these, at least one.
    AnyOf(Vec<T>),
    /// Not checked, for this reason, which the verdict repeats.
    Unchecked {
        /// Why.
        why: String,
    },
}

/// A relying party's policy.
///
/// It has no default: whoever makes one in code, not from TOML, decides each field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `[snp]`: the CPU, its firmware, and the guest that it launched. Without it, SEV-SNP is not wanted.
    pub snp: Option<SnpPolicy>,
    /// `[tdx]`: the platform, and the TD. Without it, TDX is not wanted. TOML must have one of the two, or both.
    pub tdx: Option<TdxPolicy>,
    /// `[gpu]`: the GPUs. Without it, none are wanted.
    pub gpu: Option<GpuPolicy>,
    /// `[configuration]`: what the guest was configured with.
    pub configuration: ConfigurationPolicy,
    /// `[rebuilders]`: who must confirm the image. Default: nobody.
    pub rebuilders: Option<Rebuilders>,
    /// `[release]`: which release the digests are from, and whose root vouches for it. Default: none is named.
    pub release: Option<ReleasePolicy>,
    /// `session.freshness = { unchecked = "why" }`: accepts evidence made at boot, as in a saved certificate. Default: no.
    pub freshness_unchecked: Option<String>,
    /// `simulation.roots`: SHA-256 of the DER of each simulated root that is accepted. Default: none.
    pub simulation: Vec<[u8; 32]>,
}

/// `[configuration]`: one set of bytes, whose digest each platform holds in a field of its own. What is not there is not wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationPolicy {
    /// `sha256`, required with `[snp]`: the SHA-256, which is `HOST_DATA`.
    pub sha256: Option<Expect<[u8; 32]>>,
    /// `sha384`, required with `[tdx]`: the SHA-384, which is `MRCONFIGID`.
    pub sha384: Option<Expect<[u8; 48]>>,
}

/// What a policy wants of an SEV-SNP report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one bit of the report, by its name"
)]
pub struct SnpPolicy {
    /// `launch_digest`, required: MEASUREMENT, 48 bytes.
    pub launch_digest: Expect<[u8; 48]>,
    /// `minimum_tcb`, required: the floor for `REPORTED_TCB`, component by component, for each product line
    /// (`minimum_tcb.genoa = { … }`). The line's name may be left out where `products` names one line alone.
    pub minimum_tcb: Floor,
    /// `minimum_committed_tcb`: the floor for `COMMITTED_TCB`, below which the host cannot go back. Default: `minimum_tcb`.
    pub minimum_committed_tcb: Option<Floor>,
    /// `minimum_launch_tcb`: the floor for `LAUNCH_TCB`. Default: open.
    pub minimum_launch_tcb: Option<Floor>,
    /// `minimum_firmware = "1.55.40"`: the least SEV firmware that may run. Default: open.
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
    /// `debug`: whether the host may read the guest's memory. Default: false.
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
    /// `minimum_abi = "1.55"`: the least firmware interface that the guest must ask for. Default: open.
    pub minimum_abi: Option<(u8, u8)>,
    /// `[snp.platform]`.
    pub platform: PlatformPolicy,
    /// `minimum_guest_svn`: the floor for `GUEST_SVN`. Default: 0.
    pub minimum_guest_svn: u32,
    /// `mitigations = "0x3"`: bits that both mitigation vectors must have; then versions below 5 fail. Default: open.
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
    /// `pcrs = { 4 = ["…"] }`: PCRs of Azure's virtual TPM, SHA-256, each with the values that are wanted; evidence without a
    /// quote of them is then refused. Default: open.
    pub pcrs: BTreeMap<u8, Vec<[u8; 32]>>,
}

/// `[snp.platform]`: how the machine must be set up.
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
    /// `unknown_bits = "0x100"`: bits of `PLATFORM_INFO` that may be set though this verifier knows no meaning. Default: none.
    pub unknown_bits: u64,
}

impl Policy {
    /// Parses TOML.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        parse::policy(text)
    }

    /// Parses the `[gpu]` section of TOML, for evidence of GPUs by themselves. The other sections may be missing.
    ///
    /// ```
    /// let policy = chrysalis_attestation::policy::Policy::parse_gpu(r#"
    ///     version = 1
    ///     [gpu]
    ///     count = [1]
    ///     minimum_driver = "550.90.07"
    ///     revocation = "stapled"
    /// "#);
    /// assert!(policy.is_ok());
    /// ```
    pub fn parse_gpu(text: &str) -> Result<GpuPolicy, PolicyError> {
        parse::gpu_policy(text)
    }

    /// Parses the `[gpu]` section of an enclave's configuration, in the same words; `None` if it has none.
    pub fn gpu_of_configuration(text: &str) -> Result<Option<GpuPolicy>, PolicyError> {
        parse::gpu_section(text)
    }

    /// Parses the `[tdx]` section of TOML, for the quote of a TD by itself. The other sections may be missing.
    ///
    /// What the TD must have been asked to sign is in no file: set [`TdxPolicy::report_data`], else only a policy that goes without
    /// freshness (`session.freshness`) accepts anything.
    ///
    /// ```
    /// let policy = chrysalis_attestation::policy::Policy::parse_tdx(r#"
    ///     version = 1
    ///     [tdx]
    ///     mrtd = ["000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"]
    ///     rtmr0 = { unchecked = "depends on the machine's shape" }
    ///     rtmr1 = { unchecked = "any kernel will do" }
    ///     rtmr2 = { unchecked = "any command line will do" }
    ///     mrconfigid = { unchecked = "any configuration will do" }
    ///     minimum_evaluation = 19
    /// "#);
    /// assert!(policy.is_ok());
    /// ```
    pub fn parse_tdx(text: &str) -> Result<TdxPolicy, PolicyError> {
        parse::tdx_policy(text)
    }

    /// Parses the `[rebuilders]` section of TOML, for evidence by itself; `None` if there is none.
    pub fn parse_rebuilders(text: &str) -> Result<Option<Rebuilders>, PolicyError> {
        parse::rebuilders_policy(text)
    }

    /// Parses the `[release]` section of TOML, for evidence by itself; `None` if there is none.
    pub fn parse_release(text: &str) -> Result<Option<ReleasePolicy>, PolicyError> {
        parse::release_policy(text)
    }

    /// Parses the `[simulation]` section of TOML, for evidence by itself: SHA-256 of each simulated root that is accepted.
    pub fn parse_simulation(text: &str) -> Result<Vec<[u8; 32]>, PolicyError> {
        parse::simulation(text)
    }

    /// A commented policy for exactly one image and configuration, to be read by people and by [`Policy::parse`].
    pub fn template(template: &Template<'_>) -> String {
        template.to_toml()
    }

    /// The roots that this policy accepts: the vendors', and the simulated ones that it names.
    pub fn roots(&self) -> Roots {
        let name = |roots: Roots, sha256: &[u8; 32]| roots.and_simulated(*sha256);
        self.simulation.iter().fold(Roots::vendors(), name)
    }
}
