//! NVIDIA GPUs in confidential-computing mode, and the switches between them: the report, its certificates, the manifests and revocation answers that bear
//! on it, and the steps that verify them. All of it offline, and all of it in Rust.
//!
//! Trusts nothing but the two roots it is given. Hopper first; of Blackwell the same is verified where it brings the same.

mod certificate;
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
