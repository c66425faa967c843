//! AMD SEV-SNP: the report, its certificates, its revocation lists, and the steps that verify them.
//!
//! Trusts nothing but the roots it is given. Sources: AMD 56860 (SNP firmware ABI) and AMD 57230 (VCEK certificates).

#![deny(clippy::indexing_slicing)]

pub mod bits;
pub mod product;
pub mod report;
pub mod tcb;
