//! Prometheus's text format.

use std::fmt::{Display, Write};

/// A page as it grows.
#[derive(Default)]
pub(super) struct Page(pub(super) String);

impl Page {
    /// Opens a family of samples.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.0,
            "# HELP chrysalis_{name} {help}\n# TYPE chrysalis_{name} {kind}"
        );
    }

    /// Adds a sample; `labels` is empty or in braces.
    /// A family of one sample.
    pub(super) fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }

    pub(super) fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "chrysalis_{name}{labels} {value}");
    }
}

/// A label's value; the guest chose it, so nothing but plain words passes.
pub(super) fn label(name: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || " _-.".contains(character);
    name.chars()
        .map(|character| if plain(character) { character } else { '_' })
        .collect()
}

/// A label's value that may be any printable text.
pub(super) fn quoted(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('"', r#"\""#)
        .replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_ends_where_its_value_does() {
        assert_eq!(quoted("a/b:c"), "a/b:c");
        assert_eq!(quoted("\"} 1\n\\"), r#"\"} 1\n\\"#);
    }
}
