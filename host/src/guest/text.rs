//! What a guest says is untrusted text: before a person or a file sees it, it is one bounded line without control
//! characters, which could otherwise rewrite a terminal.

/// `text` as printable text of at most `limit` bytes; line breaks stay if `lines` says so.
pub(crate) fn printable(text: &str, limit: usize, lines: LineBreaks) -> String {
    text[..text.floor_char_boundary(limit)]
        .chars()
        .filter(|&character| character != '\r')
        .map(|character| match character {
            '\n' if lines == LineBreaks::Keep => '\n',
            '\t' => ' ',
            character if character.is_control() => '?',
            character => character,
        })
        .collect()
}

/// What becomes of line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineBreaks {
    /// For a message of several lines.
    Keep,
    /// For a name, or one line of a log.
    Replace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_a_guests_words_harmless() {
        let said = "\x1b[2Jboot\u{9b}ed\r\n\tüber";
        assert_eq!(
            printable(said, 100, LineBreaks::Replace),
            "?[2Jboot?ed? über"
        );
        assert_eq!(printable(said, 100, LineBreaks::Keep), "?[2Jboot?ed\n über");
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(printable("aüü", 4, LineBreaks::Replace), "aü");
    }
}
