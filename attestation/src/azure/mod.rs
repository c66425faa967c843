//! Azure's confidential VMs, on SEV-SNP and on TDX: the paravisor's wrapping around the report, and the virtual TPM below it.
//!
//! Trusts nothing by itself. A wrapping is worth what the report inside is worth, which the platform's own steps decide; on TDX that is
//! the quote made of the report.

pub mod hcl;
pub(crate) mod td;
pub(crate) mod tdreport;
pub mod thim;
pub mod vtpm;
pub(crate) mod wanted;
