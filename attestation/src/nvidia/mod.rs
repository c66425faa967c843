//! NVIDIA GPUs in confidential-computing mode, and the switches between them: the report, its certificates, the manifests and
//! revocation answers that apply to it, and the steps that verify them. All of it offline, and all of it in Rust.
//!
//! Trusts only the two roots that it is given. Hopper comes first; Blackwell is verified the same way where its evidence is the same.

pub(crate) mod certificate;
pub mod chain;
mod device;
pub mod evidence;
mod fabric;
mod genuine;
pub mod indices;
pub mod kind;
pub mod measurements;
pub mod needs;
pub mod ocsp;
pub mod opaque;
pub mod policy;
mod question;
mod reference;
pub mod rim;
mod roots;
pub mod spdm;
pub mod version;
mod wanted;

pub use device::{Gpu, Switch};
pub use evidence::GpuEvidence;
pub use kind::Pdi;
pub use policy::GpuPolicy;
pub use question::{GpuCollateral, Grounds, MAX_RIMS};
pub use roots::NvidiaRoots;

pub use device::Devices;
pub(crate) use genuine::verify;
