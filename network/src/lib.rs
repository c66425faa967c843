#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod choice;
mod class;
mod descriptor;
mod endpoint;
mod hardware;
mod health;
mod index;
mod listing;
mod provider;
mod rejection;
mod upload;

pub use choice::{Candidate, Choice, choose};
pub use class::{ClassFile, Delta, MAX_CLASS_FILE, MAX_DELTA, MAX_NOW, Now, NowEntry};
pub use descriptor::{Chain, Class, Descriptor, Directory, MAX_DESCRIPTOR, NETWORK, Signers};
pub use endpoint::{Endpoint, is_public};
pub use hardware::chip;
pub use health::{Health, Outcome};
pub use index::{Asked, index};
pub use listing::{Listing, MAX_AHEAD, MAX_ENDPOINTS, MAX_LISTING, SignedListing};
pub use provider::ProviderId;
pub use rejection::Rejection;
pub use upload::{MAX_UPLOAD, Upload};
