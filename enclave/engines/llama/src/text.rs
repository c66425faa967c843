//! From the bytes of tokens to text that may be sent: whole characters ([`Characters`]), up to a stop text
//! ([`StopTexts`]). The result depends on the bytes alone, never on where one token ends and the next begins.

/// Makes whole characters out of bytes that may end inside one. Bytes that are not UTF-8 become U+FFFD, as in
/// [`String::from_utf8_lossy`].
#[derive(Default)]
pub struct Characters {
    pending: Vec<u8>,
}

impl Characters {
    /// Adds bytes; returns the characters that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        let mut incomplete = 0;
        let mut chunks = self.pending.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            match std::str::from_utf8(chunk.invalid()) {
                Ok(_) => {}
                Err(error) if error.error_len().is_none() && chunks.peek().is_none() => {
                    incomplete = chunk.invalid().len();
                }
                Err(_) => text.push(char::REPLACEMENT_CHARACTER),
            }
        }
        self.pending
            .drain(..self.pending.len().saturating_sub(incomplete));
        text
    }

    /// What is left when no more bytes come: nothing, or U+FFFD for a character that was cut off.
    pub fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.pending);
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// Watches for texts that end an answer, and holds back what may become one.
pub struct StopTexts {
    texts: Vec<String>,
    held: String,
}

/// What may be sent after [`StopTexts::push`].
#[derive(Debug, PartialEq, Eq)]
pub enum Passed {
    /// No stop text has appeared.
    GoOn(String),
    /// The text before a stop text; the answer ends here.
    Stop(String),
}

impl StopTexts {
    /// Watches for `texts`; an empty one does not count.
    pub fn new(texts: Vec<String>) -> Self {
        let texts = texts.into_iter().filter(|text| !text.is_empty()).collect();
        Self {
            texts,
            held: String::new(),
        }
    }

    /// Adds text; returns what can no longer be part of a stop text.
    pub fn push(&mut self, text: &str) -> Passed {
        self.held.push_str(text);
        if let Some(start) = self.first_stop() {
            self.held.truncate(start);
            return Passed::Stop(std::mem::take(&mut self.held));
        }
        let forming = self.held.split_off(self.start_of_forming());
        Passed::GoOn(std::mem::replace(&mut self.held, forming))
    }

    /// What was held back, when no more text comes.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// The start of the stop text that is complete first.
    fn first_stop(&self) -> Option<usize> {
        let found = self.texts.iter().filter_map(|stop| {
            let start = self.held.find(stop)?;
            Some((start.saturating_add(stop.len()), start))
        });
        found.min().map(|(_, start)| start)
    }

    /// Where a stop text may have begun: from there on the held text is the beginning of one.
    fn start_of_forming(&self) -> usize {
        let longest = self.texts.iter().map(String::len).max().unwrap_or(0);
        let earliest = self.held.len().saturating_sub(longest);
        (earliest..self.held.len())
            .filter_map(|start| Some((start, self.held.get(start..)?)))
            .find(|(_, end)| self.texts.iter().any(|stop| stop.starts_with(end)))
            .map_or(self.held.len(), |(start, _)| start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stops(texts: &[&str]) -> StopTexts {
        StopTexts::new(texts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn holds_a_character_until_it_is_whole() {
        let mut characters = Characters::default();
        assert_eq!(characters.push(b"a\xf0\x9f\xa6"), "a");
        assert_eq!(characters.push(b"\x8b!"), "🦋!");
        assert_eq!(characters.finish(), "");
    }

    #[test]
    fn replaces_bytes_that_never_become_a_character() {
        let mut characters = Characters::default();
        assert_eq!(characters.push(b"a\xffb\xc3"), "a\u{fffd}b");
        assert_eq!(characters.push(b"("), "\u{fffd}(");
        assert_eq!(characters.push(b"\xe2\x82"), "");
        assert_eq!(characters.finish(), "\u{fffd}");
    }

    #[test]
    fn stops_at_a_text_that_two_pieces_form() {
        let mut stops = stops(&["END"]);
        assert_eq!(stops.push("one E"), Passed::GoOn("one ".into()));
        assert_eq!(stops.push("ND two"), Passed::Stop(String::new()));
    }

    #[test]
    fn releases_what_did_not_become_a_stop_text() {
        let mut stops = stops(&["END"]);
        assert_eq!(stops.push("EN"), Passed::GoOn(String::new()));
        assert_eq!(stops.push("EM"), Passed::GoOn("ENEM".into()));
        assert_eq!(stops.push("E"), Passed::GoOn(String::new()));
        assert_eq!(stops.finish(), "E");
    }

    #[test]
    fn stops_at_the_text_that_is_complete_first() {
        assert_eq!(
            stops(&["abcd", "bc"]).push("abcd"),
            Passed::Stop("a".into())
        );
        assert_eq!(
            stops(&["bc", "abc"]).push("abc"),
            Passed::Stop(String::new())
        );
    }

    #[test]
    fn an_empty_stop_text_stops_nothing() {
        assert_eq!(stops(&[""]).push("text"), Passed::GoOn("text".into()));
    }

    proptest! {
        #[test]
        fn characters_do_not_depend_on_the_cuts(pieces in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xf0), Just(0x9f), Just(0xa6)], 0..4), 0..12)
        ) {
            let mut characters = Characters::default();
            let mut text: String = pieces.iter().map(|piece| characters.push(piece)).collect();
            text.push_str(&characters.finish());
            let bytes = pieces.concat();
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn stop_texts_do_not_depend_on_the_cuts(
            pieces in proptest::collection::vec("[abé]{0,3}", 0..8),
            texts in proptest::collection::vec("[abé]{1,3}", 1..3),
        ) {
            let mut whole = StopTexts::new(texts.clone());
            let expected = match whole.push(&pieces.concat()) {
                Passed::GoOn(text) => text + &whole.finish(),
                Passed::Stop(text) => text,
            };
            let mut cut = StopTexts::new(texts);
            let mut text = String::new();
            let mut stopped = false;
            for piece in &pieces {
                match cut.push(piece) {
                    Passed::GoOn(passed) => text.push_str(&passed),
                    Passed::Stop(passed) => {
                        text.push_str(&passed);
                        stopped = true;
                        break;
                    }
                }
            }
            if !stopped {
                text.push_str(&cut.finish());
            }
            prop_assert_eq!(text, expected);
        }
    }
}
