//! Text of a peer's, made safe for a terminal: no control character reaches it, so none can move the cursor or recolour
//! a verdict.

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
