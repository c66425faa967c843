//! What somebody hands over as evidence, and the verdict on it: bytes in, JSON out. No file is opened here, and nothing is asked of a
//! network: the command line reads files, a browser's page takes them as they are dropped, Python and C have them as bytes, and all ask here,
//! so they cannot come to two verdicts. [`Asked`] is a question put together name by name; [`answer`] takes one in JSON.
//!
//! Trusts nothing. What is wrong with evidence is a verdict; what cannot be asked about at all is [`Misuse`].

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod artifact;
mod asked;
mod collateral;
mod conversation;
mod gpus;
mod key;
mod kind;
mod limits;
mod misuse;
mod place;
mod question;
mod receipt;
mod snp;
mod tdx;
mod verdict;
mod vtpm;
mod without;

pub use artifact::{Artifact, Parts};
pub use asked::Asked;
pub use collateral::{add_file, of_files};
pub use conversation::{Judging, agreement, of_the_past};
pub use gpus::{GpuRequest, gpu_evidence, gpu_policy, rims};
pub use key::public_key;
pub use kind::{Kind, decoded, described};
pub use limits::{MAX_CONTENT, MAX_EVIDENCE, MAX_FILES, MAX_JSON, MAX_POLICY};
pub use misuse::Misuse;
pub use place::Place;
pub use question::{MAX_QUESTION, answer};
pub use receipt::{PAST, Receipt, Refused, content_digest};
pub use snp::SnpRequest;
pub use tdx::{TdxRequest, TdxWanted};
pub use verdict::json;
pub use vtpm::TpmQuote;
pub use without::{Without, accept_broken, broken_product, waivers};
