//! What is printed: text of a stranger's moves no cursor.

/// `text` without control characters; new lines and tabs stay.
pub(crate) fn printable(text: &str) -> String {
    let safe = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
    let shown = |letter| {
        if safe(letter) {
            letter
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    text.chars().map(shown).collect()
}
