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
mod gpu;
mod parse;
mod rebuilders;
mod release;
mod section;
mod snp;
mod tdx;
mod template;
#[cfg(test)]
mod tests;
mod waivers;

pub use error::{PolicyError, Problem};
pub use release::ReleasePolicy;
pub use template::{GpuTemplate, SnpTemplate, TdxTemplate, Template};
pub use waivers::Waivers;

use crate::{
    nvidia::GpuPolicy, release::Rebuilders, roots::Roots, snp::SnpPolicy, tdx::TdxPolicy,
    transcript::Expect,
};

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

    /// The roots that a policy's TOML accepts, for evidence by itself: the vendors', and those under `[simulation]`.
    pub fn parse_roots(text: &str) -> Result<Roots, PolicyError> {
        Self::parse_simulation(text).map(|named| accepted(&named))
    }

    /// A commented policy for exactly one image and configuration, to be read by people and by [`Policy::parse`].
    pub fn template(template: &Template<'_>) -> String {
        template.to_toml()
    }

    /// The roots that this policy accepts: the vendors', and the simulated ones that it names.
    pub fn roots(&self) -> Roots {
        accepted(&self.simulation)
    }
}

fn accepted(simulation: &[[u8; 32]]) -> Roots {
    let name = |roots: Roots, sha256: &[u8; 32]| roots.and_simulated(*sha256);
    simulation.iter().fold(Roots::vendors(), name)
}
