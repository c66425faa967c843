//! Telegram counts a message in UTF-16 units, 4096 at most. Texts are cut at a paragraph, a line or a space if there is one in the last
//! half, and never within a character.

/// The most UTF-16 units of a message.
pub(crate) const LIMIT: usize = 4096;

/// The longest good beginning of `text` with at most `limit` UTF-16 units, `limit` at least 2. Never empty unless `text` is.
pub(crate) fn head(text: &str, limit: usize) -> &str {
    let fits = fits(text, limit);
    if fits.len() == text.len() {
        return text;
    }
    let half = fits.len() / 2;
    for mark in ["\n\n", "\n", " "] {
        if let Some(at) = fits.rfind(mark)
            && at >= half
        {
            return &fits[..at.saturating_add(mark.len())];
        }
    }
    fits
}

/// How many UTF-16 units `text` has.
pub(crate) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn fits(text: &str, limit: usize) -> &str {
    let mut units = 0_usize;
    for (at, character) in text.char_indices() {
        units = units.saturating_add(character.len_utf16());
        if units > limit {
            return &text[..at];
        }
    }
    text
}

/// All parts of `text`, trimmed; none is empty.
pub(crate) fn parts(mut text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    while !text.is_empty() {
        let part = head(text, LIMIT);
        text = &text[part.len()..];
        if !part.trim().is_empty() {
            parts.push(part.trim());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_stay_whole() {
        assert_eq!(head("a b", 4), "a b");
        assert_eq!(parts(""), Vec::<&str>::new());
        assert_eq!(parts(" \n "), Vec::<&str>::new());
    }

    #[test]
    fn counts_utf16_and_cuts_no_surrogate_pair() {
        // Two units each: 4095 and one more do not fit.
        let text = format!("{}{}", "a".repeat(4095), "🦋".repeat(3));
        assert_eq!(parts(&text), ["a".repeat(4095), "🦋🦋🦋".to_owned()]);
        let text = "🦋".repeat(5000);
        for part in parts(&text) {
            assert!(units(part) <= LIMIT);
        }
        assert_eq!(parts(&text).concat(), text);
    }

    #[test]
    fn cuts_at_the_best_mark_in_the_last_half() {
        assert_eq!(head("one two\n\nthree four five", 14), "one two\n\n");
        assert_eq!(
            head("one two\n\nthree four five", 20),
            "one two\n\nthree four "
        );
        assert_eq!(head("one two three", 9), "one two ");
        assert_eq!(head("a bcdefghijkl", 8), "a bcdefg");
    }
}
