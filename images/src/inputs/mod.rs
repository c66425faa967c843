//! What a build starts from: recipes that people write, the lock that pins every package, and the packages themselves.

pub mod apt;
mod download;
pub mod engine;
pub mod fetch;
pub mod index;
pub mod lock;
pub mod model;
pub mod moment;
pub(crate) mod names;
pub mod package;
pub mod python;
pub mod recipe;
pub mod refresh;
pub mod resolve;
pub(crate) mod search;
pub mod serving;
pub mod snapshot;
pub mod wheel;
pub mod zipped;
