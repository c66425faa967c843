//! The targets, a file for each family of formats. Only what is public is called: a parser that is private is reached through
//! the verification that uses it.

mod all;
mod azure;
mod bundle;
mod handed_over;
mod model;
mod network;
mod nvidia;
mod policy;
mod question;
mod relay;
pub(crate) mod release;
mod settle;
mod snp;
mod tdx;
mod wire;

use std::sync::LazyLock;

use chrysalis_attestation::{Refusal, Time, alone::Verified, tdx::IntelCollateral};
use chrysalis_simulate::{Intel, Nvidia};

pub use all::TARGETS;
pub(crate) use policy::template;
pub(crate) use relay::KEYS;

/// 2026-12-01 12:00 UTC: when the seeds are valid.
pub(crate) const NOW: Time = Time(1_796_126_400);

/// Signs whatever a target says: what is read only after its signature is reached no other way.
pub(crate) static INTEL: LazyLock<Intel> = LazyLock::new(|| Intel::from_seed(&[7; 32], NOW));
/// As [`INTEL`].
pub(crate) static NVIDIA: LazyLock<Nvidia> = LazyLock::new(|| Nvidia::from_seed(&[7; 32], NOW));

/// What Intel says, with nothing wrong.
static COLLATERAL: LazyLock<IntelCollateral> = LazyLock::new(|| INTEL.collateral(NOW));

/// What stands under a simulated root is refused, or called simulated.
fn never_in_silence<T>(found: Result<Verified<T>, Refusal>) {
    let simulated = found.map_or(true, |it| it.simulated());
    assert!(simulated, "a simulated root passed in silence");
}
