//! One parser, and how it is fed.

use crate::heap;

/// A function to feed with bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// As `cargo fuzz run` knows it.
    pub name: &'static str,
    /// The longest input that is worth trying: what a parser takes, and a little more.
    pub longest: usize,
    /// Words that the format is made of: a file among the dictionaries, without its ending.
    pub dictionary: Option<&'static str>,
    pub(crate) run: fn(&[u8]),
}

impl Target {
    /// Tries one input, and says how many bytes of memory it took. Panics if something does not hold that must hold for all
    /// bytes.
    pub fn run(&self, bytes: &[u8]) -> usize {
        heap::bounded(self.name, || (self.run)(bytes))
    }
}
