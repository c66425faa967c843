//! AMD SEV-SNP: the report, its certificates, its revocation lists, and the steps that verify them.
//!
//! Trusts only the roots that it is given. Sources: AMD 56860 (SNP firmware ABI) and AMD 57230 (VCEK certificates).

pub mod bits;
pub mod broken;
pub(crate) mod candidate;
pub(crate) mod certificate;
pub(crate) mod chain;
mod crl;
pub mod firmware;
pub mod floor;
pub(crate) mod genuine;
pub mod needs;
mod policy;
pub mod product;
pub mod report;
mod roots;
pub(crate) mod signed;
pub mod table;
pub mod tcb;
pub(crate) mod wanted;

pub use genuine::Genuine;
pub use policy::{PlatformPolicy, SnpPolicy};
#[cfg(test)]
pub(crate) use roots::ARKS;
pub use roots::{AMD, AmdRoots};
