//! When each word was said. The engine knows it of tokens: a word is those that follow each other without a space between them.
//! Where a language writes none, what is between two spaces is longer than a word.

use serde_json::Value;

use crate::serve::misshapen::{self as shape, Misshapen};

/// The most tokens of a segment: what Whisper's decoder holds.
pub(super) const MAX_TOKENS: usize = 448;
/// The most bytes in all words of a segment.
const MAX_BYTES: usize = MAX_TOKENS * 64;

/// A word, with the punctuation that is written at it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    /// Not empty, and without white space.
    pub(super) text: String,
    /// In seconds.
    pub(super) start: f64,
    pub(super) end: f64,
}

/// The words of a segment with this text, within its times and in order. An engine that does not know says nothing of them.
pub(super) fn read(item: &Value, text: &str, within: (f64, f64)) -> Result<Vec<Word>, Misshapen> {
    const WHAT: Misshapen = Misshapen("words");
    let tokens = match item.get("words") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(tokens) => tokens.as_array().ok_or(WHAT)?,
    };
    if tokens.len() > MAX_TOKENS {
        return Err(WHAT);
    }
    let mut words: Vec<Word> = Vec::new();
    let mut from = within.0;
    for token in tokens {
        let said = shape::below(token, "word", "words")?;
        let said = said.as_str().ok_or(WHAT)?;
        let time = |key| shape::number(token, key, "a word's time that is no number");
        // An engine estimates these: what is outside of the segment is at its edge.
        let start = time("start")?.clamp(from, within.1);
        let end = time("end")?.clamp(start, within.1);
        match words.last_mut() {
            Some(word) if !said.starts_with(char::is_whitespace) => {
                word.text.push_str(said);
                word.end = end;
            }
            _ => words.push(Word {
                text: said.to_owned(),
                start,
                end,
            }),
        }
        from = end;
    }
    if words.iter().map(|word| word.text.len()).sum::<usize>() > MAX_BYTES {
        return Err(Misshapen("more text in words than can be said"));
    }
    for word in &mut words {
        word.text = one_line(&word.text);
    }
    words.retain(|word| !word.text.is_empty());
    // A character may be cut into tokens; in the segment's text it is whole.
    if text.split(' ').count() == words.len() {
        for (word, whole) in words.iter_mut().zip(text.split(' ')) {
            whole.clone_into(&mut word.text);
        }
    }
    Ok(words)
}

/// Each run of white space and control characters is a space, so that no text breaks a format of lines.
pub(super) fn one_line(text: &str) -> String {
    let blank = |letter: char| letter.is_whitespace() || letter.is_control();
    let words: Vec<&str> = text.split(blank).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::serve::arbitrary::json as any_json;

    fn tokens(tokens: &[(&str, f64, f64)]) -> Value {
        let tokens = tokens.iter();
        let tokens: Vec<_> = tokens
            .map(|(word, start, end)| json!({"word": word, "start": start, "end": end}))
            .collect();
        json!({ "words": tokens })
    }

    fn words(item: &Value, text: &str) -> Vec<(String, f64, f64)> {
        let words = read(item, text, (1.0, 5.0)).unwrap().into_iter();
        words
            .map(|word| (word.text, word.start, word.end))
            .collect()
    }

    fn word(text: &str, start: f64, end: f64) -> (String, f64, f64) {
        (text.to_owned(), start, end)
    }

    #[test]
    fn tokens_without_a_space_between_them_are_a_word() {
        let item = tokens(&[
            (" Un", 1.0, 1.5),
            ("der", 1.5, 2.0),
            (" stood", 2.0, 3.0),
            (".", 3.0, 3.1),
            (" ", 3.1, 3.2),
        ]);
        let wanted = [word("Under", 1.0, 2.0), word("stood.", 2.0, 3.1)];
        assert_eq!(words(&item, "Under stood."), wanted);
        assert_eq!(words(&json!({}), "Under"), []);
    }

    #[test]
    fn a_character_that_was_cut_is_whole_again() {
        let item = tokens(&[
            (" f", 1.0, 1.1),
            ("\u{fffd}", 1.1, 1.2),
            ("\u{fffd}r", 1.2, 1.3),
        ]);
        assert_eq!(words(&item, "für"), [word("für", 1.0, 1.3)]);
    }

    #[test]
    fn times_are_within_the_segment_and_in_order() {
        let item = tokens(&[(" a", -0.01, 2.0), (" b", 1.5, 1.2), (" c", 4.0, 9.0)]);
        let wanted = [
            word("a", 1.0, 2.0),
            word("b", 2.0, 2.0),
            word("c", 4.0, 5.0),
        ];
        assert_eq!(words(&item, "a b c"), wanted);
    }

    #[test]
    fn another_shape_is_refused() {
        let long = "x".repeat(MAX_BYTES + 1);
        for (item, what) in [
            (json!({"words": 5}), "words"),
            (json!({"words": [5]}), "words"),
            (json!({"words": [{"word": 5}]}), "words"),
            (json!({"words": vec![0; MAX_TOKENS + 1]}), "words"),
            (
                json!({"words": [{"word": "a", "start": "1", "end": 1}]}),
                "a word's time that is no number",
            ),
            (
                tokens(&[(&long, 0.0, 1.0)]),
                "more text in words than can be said",
            ),
        ] {
            assert_eq!(read(&item, "a", (0.0, 1.0)), Err(Misshapen(what)));
        }
    }

    proptest! {
        #[test]
        fn no_words_panic(words in any_json(), word: String, start: f64, end: f64) {
            let _ = read(&json!({"words": words}), "a", (0.0, 1.0));
            let item = json!({"words": [{"word": word, "start": start, "end": end}]});
            for word in read(&item, "a b", (0.0, 1.0)).unwrap_or_default() {
                prop_assert!(0.0 <= word.start && word.start <= word.end && word.end <= 1.0);
            }
        }
    }
}
