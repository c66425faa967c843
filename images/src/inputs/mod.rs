//! What a build starts from: recipes that people write, the lock that pins every package, and the packages themselves.

pub mod apt;
pub mod engine;
pub mod fetch;
pub mod index;
pub mod lock;
pub mod model;
pub(crate) mod names;
pub mod package;
pub mod recipe;
pub mod refresh;
pub mod serving;
