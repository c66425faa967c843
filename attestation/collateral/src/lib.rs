#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod address;
mod answer;
mod errand;
mod error;
mod event;
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
pub use event::Event;
pub use fetch::{Failure, Fetched, Fetcher, Gathered, Refresh, gather};
pub use http::{Ask, Http, Said, Unanswered};
pub use index::Entry;
pub use object::Object;
pub use patience::Limits;
pub use responder::Responder;
pub use status::{Condition, Listed, list};
pub use store::Store;
pub use wish::Wish;
pub use world::{System, World};
