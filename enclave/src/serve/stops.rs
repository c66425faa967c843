//! Stop texts, found wherever the pieces of an answer are cut.

/// Lets through the text before the first stop text.
#[derive(Debug, Clone, Default)]
pub(super) struct StopWatch {
    stops: Vec<String>,
    /// The end of what came, which may be the beginning of a stop text.
    held: String,
}

/// What a watch lets through.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) text: String,
    /// The stop text that follows it.
    pub(super) stop: Option<String>,
}

impl StopWatch {
    pub(super) fn new(stops: &[String]) -> Self {
        Self {
            stops: stops.to_vec(),
            held: String::new(),
        }
    }

    /// Takes the next piece.
    pub(super) fn pass(&mut self, piece: &str) -> Passed {
        self.held.push_str(piece);
        let found = self.stops.iter();
        let found = found.filter_map(|stop| Some((self.held.find(stop)?, stop)));
        // Of several at the same place, the one that was named first.
        if let Some((at, stop)) = found.min_by_key(|(at, _)| *at) {
            let passed = Passed {
                text: self.held.get(..at).unwrap_or_default().to_owned(),
                stop: Some(stop.clone()),
            };
            self.held.clear();
            return passed;
        }
        let kept = self.may_begin_a_stop();
        let text = self.held.drain(..self.held.len().saturating_sub(kept));
        Passed {
            text: text.collect(),
            stop: None,
        }
    }

    /// What is left once the answer has ended.
    pub(super) fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Bytes at the end that some stop text begins with.
    fn may_begin_a_stop(&self) -> usize {
        let begins = |stop: &String| {
            let ends = stop.char_indices().map(|(at, _)| at).rev();
            let mut ends = ends.filter(|at| *at > 0);
            ends.find(|at| {
                let start = stop.get(..*at).unwrap_or_default();
                self.held.ends_with(start)
            })
        };
        self.stops.iter().filter_map(begins).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(stops: &[&str], pieces: &[&str]) -> (String, Option<String>) {
        let stops: Vec<String> = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let mut watch = StopWatch::new(&stops);
        let mut text = String::new();
        for piece in pieces {
            let passed = watch.pass(piece);
            text.push_str(&passed.text);
            if passed.stop.is_some() {
                return (text, passed.stop);
            }
        }
        (text + &watch.rest(), None)
    }

    #[test]
    fn a_stop_is_found_across_pieces_and_not_let_through() {
        for (stops, pieces, text, stop) in [
            (&["END"][..], &["a E", "N", "D b"][..], "a ", Some("END")),
            (&["END"], &["a E", "N", "d"], "a ENd", None),
            (&["aab"], &["aa", "ab"], "a", Some("aab")),
            (&["é!"], &["caf", "é", "!"], "caf", Some("é!")),
            (&["x", "bx"], &["ab", "x"], "a", Some("bx")),
            (&["b", "bx"], &["abx"], "a", Some("b")),
            (&[], &["any"], "any", None),
        ] {
            let wanted = (text.to_owned(), stop.map(str::to_owned));
            assert_eq!(all(stops, pieces), wanted);
        }
    }

    #[test]
    fn what_cannot_be_a_stop_is_not_held() {
        let mut watch = StopWatch::new(&["\n\n".to_owned()]);
        assert_eq!(watch.pass("one").text, "one");
        assert_eq!(watch.pass("two\n").text, "two");
        assert_eq!(watch.pass("three").text, "\nthree");
    }

    proptest! {
        /// However the text is cut, the same comes through.
        #[test]
        fn pieces_change_nothing(text in "[abé]{0,24}", stop in "[abé]{1,4}", cuts in proptest::collection::vec(0usize..24, 0..6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| text.floor_char_boundary(cut)).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let mut from = 0;
            let pieces: Vec<&str> = cuts.iter().map(|&to| { let piece = &text[from..to]; from = to; piece }).collect();
            let whole = match text.find(&stop) {
                Some(at) => (text[..at].to_owned(), Some(stop.clone())),
                None => (text.clone(), None),
            };
            prop_assert_eq!(all(&[&stop], &pieces), whole);
        }
    }
}
