//! A policy as text, a key at a time, so that each lie about a wish is one line.

use std::fmt::Write;

/// Sections in their order, each with its keys and their values in TOML.
#[derive(Clone, Default)]
pub(crate) struct Wishes(Vec<(String, Vec<(String, String)>)>);

impl Wishes {
    /// Sets a key, in place of what it was.
    pub(crate) fn set(&mut self, section: &str, key: &str, value: impl Into<String>) {
        let known = self.0.iter().position(|(name, _)| name == section);
        let place = known.unwrap_or_else(|| {
            self.0.push((section.to_owned(), Vec::new()));
            self.0.len() - 1
        });
        let keys = &mut self.0[place].1;
        keys.retain(|(name, _)| name != key);
        keys.push((key.to_owned(), value.into()));
    }

    /// Removes a key, so that its default counts.
    pub(crate) fn unset(&mut self, section: &str, key: &str) {
        for (name, keys) in &mut self.0 {
            if name == section {
                keys.retain(|(name, _)| name != key);
            }
        }
    }

    /// Removes a section.
    pub(crate) fn remove(&mut self, section: &str) {
        self.0.retain(|(name, _)| name != section);
    }

    /// Accepts simulated roots, by the SHA-256 of their DER.
    pub(crate) fn simulated(&mut self, roots: &[[u8; 32]]) {
        self.set("simulation", "roots", list(roots));
    }

    /// In TOML.
    pub(crate) fn text(&self) -> String {
        let mut text = "version = 1\n".to_owned();
        for (name, keys) in &self.0 {
            writeln!(text, "\n[{name}]").expect("a string takes all");
            for (key, value) in keys {
                writeln!(text, "{key} = {value}").expect("a string takes all");
            }
        }
        text
    }
}

/// A list of digests.
pub(crate) fn list<const N: usize>(digests: &[[u8; N]]) -> String {
    let digests = digests.iter();
    let digests: Vec<_> = digests
        .map(|it| format!("\"{}\"", hex::encode(it)))
        .collect();
    format!("[{}]", digests.join(", "))
}

/// Leaves a key's subject open.
pub(crate) const OPEN: &str = "{ unchecked = \"this vector is about something else\" }";

/// An Ed25519 key, of somebody who confirmed nothing.
pub(crate) const SOMEBODY: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
