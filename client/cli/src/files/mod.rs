//! `verify snp`, `verify tdx` and `verify nvidia`: evidence by itself, every input a file. Nothing here touches the network.

mod input;
pub(crate) mod nvidia;
pub(crate) mod snp;
pub(crate) mod tdx;
mod tell;
mod vtpm;

pub(crate) use input::{read, read_key, read_policy, read_statements, usable, write_whole};
