//! The page that is printed.

use std::fmt::{Display, Write};

/// What is printed: headings, and rows of name, value and meaning.
#[derive(Default)]
pub(super) struct Page {
    pub(super) text: String,
}

impl Page {
    /// The widest value that leaves room for its meaning on the same line.
    const SHORT: usize = 28;

    pub(super) fn heading(&mut self, name: &str, about: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        self.line(&format!("{gap}{name}: {about}"));
    }

    /// A row of bytes.
    pub(super) fn hex(&mut self, name: &str, bytes: impl AsRef<[u8]>, meaning: &str) {
        self.row(name, hex::encode(bytes), meaning);
    }

    pub(super) fn row(&mut self, name: &str, value: impl Display, meaning: &str) {
        let value = value.to_string();
        if value.chars().count() <= Self::SHORT {
            self.line(&format!(
                "  {name:<20} {value:<width$} {meaning}",
                width = Self::SHORT
            ));
        } else {
            self.line(&format!("  {name:<20} {value}"));
            if !meaning.is_empty() {
                self.line(&format!("  {:<20} {meaning}", ""));
            }
        }
    }

    fn line(&mut self, line: &str) {
        writeln!(self.text, "{}", line.trim_end()).expect("writing to a string does not fail");
    }
}
