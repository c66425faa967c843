//! Every parser that meets a stranger's bytes, as a function that libFuzzer and the stable runner can call.
//!
//! What must hold for all bytes: no panic, no more than [`MAX_HEAP`] bytes of memory, and no trust. The seeds are signed by
//! simulated vendors, whose roots nobody names by default, so under the default roots nothing here may ever be genuine.

#![forbid(unsafe_code)]

mod heap;
pub mod mutate;
pub mod parts;
pub mod runner;
pub mod seeds;
mod target;
mod targets;

pub use heap::MAX_HEAP;
pub use target::Target;
pub use targets::TARGETS;

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}

/// What each of libFuzzer's programs calls.
pub fn run(name: &str, bytes: &[u8]) {
    Target::named(name)
        .expect("a test compares the programs with the list of targets")
        .run(bytes);
}
