//! What goes to stdout. Text of a peer's is made safe for a terminal: no control character reaches it, so none can move the cursor or recolour
//! a verdict.

use std::io::{ErrorKind, Write};

use anyhow::Context;
use chrysalis_attestation::Rejection;

/// `text` without control characters; new lines and tabs stay.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\t' => letter,
            _ if letter.is_control() => char::REPLACEMENT_CHARACTER,
            _ => letter,
        })
        .collect()
}

/// A refusal as every verb tells it.
pub(crate) fn refused(rejection: &Rejection) -> String {
    printable(&format!(
        "not trusted: {}\n{rejection}\nhint: {}\n",
        rejection.code(),
        rejection.hint()
    ))
}

/// Writes `text` to stdout. A reader that has gone wants no more of it, which is no failure.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to stdout"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_sequence_survives() {
        assert_eq!(
            printable("a\x1b[2Jb\u{9b}c\n\té"),
            "a\u{fffd}[2Jb\u{fffd}c\n\té"
        );
    }
}
