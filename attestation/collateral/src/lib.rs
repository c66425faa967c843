//! What vendors sign about hardware, fetched ahead of time and kept in a folder: from AMD's key service, Intel's certification
//! service, NVIDIA's manifests and OCSP. A verifier's only network code.
//!
//! Trusts no one on the way. Every answer is bounded, read strictly and checked against the accepted roots before it is kept, and an
//! older one does not replace a newer one. A verifier checks all of it again, from the folder, without a network.
//!
//! ```text
//! evidence ──Wish──▶ objects ──Fetcher──▶ Store ──for_report, for_quote, for_gpus──▶ the verifiers' collateral
//! evidence ──to_ask──▶ certificates ──Responder──▶ OCSP answers to its own nonces ──▶ the verifiers' collateral
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod address;
mod answer;
mod errand;
mod error;
mod fetch;
mod http;
mod index;
mod intel;
mod object;
mod patience;
mod responder;
mod status;
mod store;
mod supply;
mod wish;
mod world;

pub use address::{MirrorError, Mirrors, Service, Update};
pub use answer::Anchors;
pub use error::{FetchError, StoreError};
pub use fetch::{Event, Failure, Fetched, Fetcher, Gathered, Refresh};
pub use http::Http;
pub use index::Entry;
pub use object::Object;
pub use patience::Limits;
pub use responder::Responder;
pub use status::{Condition, Listed, list};
pub use store::Store;
pub use wish::Wish;
pub use world::{System, World};
