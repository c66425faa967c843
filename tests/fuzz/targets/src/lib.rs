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
mod targets;

pub use heap::MAX_HEAP;
pub use targets::TARGETS;

/// A function to feed with bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// As `cargo fuzz run` knows it.
    pub name: &'static str,
    /// The longest input that is worth trying: what a parser takes, and a little more.
    pub longest: usize,
    /// Words that the format is made of: a file among the dictionaries, without its ending.
    pub dictionary: Option<&'static str>,
    run: fn(&[u8]),
}

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Tries one input, and says how many bytes of memory it took. Panics if something does not hold that must hold for all
    /// bytes.
    pub fn run(&self, bytes: &[u8]) -> usize {
        heap::bounded(self.name, || (self.run)(bytes))
    }
}

/// What each of libFuzzer's programs calls.
pub fn run(name: &str, bytes: &[u8]) {
    Target::named(name)
        .expect("a test compares the programs with the list of targets")
        .run(bytes);
}
