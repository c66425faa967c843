//! `verify snp`, `verify tdx` and `verify nvidia`: evidence by itself, every input a file. Nothing here touches the network.

mod input;
mod key;
mod kind;
pub(crate) mod nvidia;
mod place;
pub(crate) mod snp;
pub(crate) mod tdx;
mod tell;
mod vtpm;

pub(crate) use input::{
    MAX_FILES, MAX_JSON, MAX_POLICY, read, read_policy, read_statements, usable, write_whole,
};
pub(crate) use key::read_key;
pub(crate) use kind::{Kind, decoded, described};
pub(crate) use place::Place;
