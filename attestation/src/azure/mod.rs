//! Azure's confidential VMs, on SEV-SNP and on TDX: the paravisor's wrapping around the report, and the virtual TPM that it covers.
//!
//! Trusts nothing by itself. A wrapping is worth as much as the report inside, which the platform's own steps verify; on TDX that is
//! the quote made from the report.

pub mod hcl;
pub(crate) mod td;
pub(crate) mod tdreport;
pub mod thim;
pub mod vtpm;
pub(crate) mod wanted;
