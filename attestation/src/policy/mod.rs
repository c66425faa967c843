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
mod model;
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
pub use model::{ModelPolicy, ModelsPolicy};
pub use release::ReleasePolicy;
pub use template::{GpuTemplate, SnpTemplate, TdxTemplate, Template};
pub use waivers::Waivers;

use crate::{
    nvidia::GpuPolicy, release::Rebuilders, roots::Roots, snp::SnpPolicy, tdx::TdxPolicy,
    transcript::Expect,
};

/// A relying party's policy.
///
/// It has no default: code that builds one without TOML must decide each field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `[snp]`: the CPU, its firmware, and the guest that it launched. Without it, SEV-SNP is refused.
    pub snp: Option<SnpPolicy>,
    /// `[tdx]`: the platform and the TD. Without it, TDX is refused. TOML must have at least one of the two.
    pub tdx: Option<TdxPolicy>,
    /// `[gpu]`: the GPUs. Without it, none are accepted.
    pub gpu: Option<GpuPolicy>,
    /// `[configuration]`: what the guest was configured with.
    pub configuration: ConfigurationPolicy,
    /// `[[model]]`: which models may be served. Default: whichever the configuration names.
    pub models: Option<ModelsPolicy>,
    /// `[rebuilders]`: who must confirm the image. Default: no confirmation is required.
    pub rebuilders: Option<Rebuilders>,
    /// `[release]`: which release the digests come from, and whose root vouches for it. Default: none is named.
    pub release: Option<ReleasePolicy>,
    /// `session.freshness = { unchecked = "why" }`: accepts evidence made at boot, as in a saved certificate. Default: no.
    pub freshness_unchecked: Option<String>,
    /// `session.key_agreement`: how the keys of the relying party's connection must have been agreed. Default: open.
    pub key_agreement: Option<AgreementPolicy>,
    /// `session.max_epoch_age`: how long ago the enclave may have renewed its evidence. Default: [`EpochAge::Epochs`].
    pub max_epoch_age: EpochAge,
    /// `simulation.roots`: SHA-256 of the DER of each simulated root that is accepted. Default: none.
    pub simulation: Vec<[u8; 32]>,
}

/// How long ago, at most, the enclave asked everything again that vouches for it ([`Claims::epoch_began`]).
///
/// [`Claims::epoch_began`]: crate::evidence::claims::Claims::epoch_began
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EpochAge {
    /// As long as [`Self::EPOCHS`] of its epochs last: one, and the time that it takes to ask busy engines.
    #[default]
    Epochs,
    /// So many seconds.
    Seconds(u64),
    /// Any time ago, for this reason.
    Unchecked {
        /// Why.
        why: String,
    },
}

impl EpochAge {
    /// How many epochs.
    pub const EPOCHS: u64 = 2;
}

/// `[configuration]`: one set of bytes, whose digest each platform reports in a field of its own. A missing digest accepts nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationPolicy {
    /// `sha256`, required with `[snp]`: the SHA-256, which is `HOST_DATA`.
    pub sha256: Option<Expect<[u8; 32]>>,
    /// `sha384`, required with `[tdx]`: the SHA-384, which is `MRCONFIGID`.
    pub sha384: Option<Expect<[u8; 48]>>,
}

/// `session.key_agreement`: how the keys of a connection must have been agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgreementPolicy {
    /// `"post-quantum"`: so that what is recorded today cannot be read by a quantum computer one day.
    PostQuantum,
    /// `"any"`: however TLS 1.3 allows.
    Any,
}

impl Policy {
    /// A commented policy for exactly one image and configuration, readable by people and by [`Policy::parse`].
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
