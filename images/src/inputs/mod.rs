//! What a build starts from: recipes that people write, the lock that pins every package, and the packages themselves.

pub mod apt;
mod download;
pub mod fetch;
pub mod index;
pub mod lock;
pub mod moment;
pub mod package;
pub mod recipe;
pub mod refresh;
mod search;
pub mod snapshot;
