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
    /// Whether a stop text follows it.
    pub(super) stopped: bool,
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
        let found = self.stops.iter().filter_map(|stop| self.held.find(stop));
        if let Some(at) = found.min() {
            let text = self.held.get(..at).unwrap_or_default().to_owned();
            self.held.clear();
            return Passed {
                text,
                stopped: true,
            };
        }
        let kept = self.may_begin_a_stop();
        let text = self.held.drain(..self.held.len().saturating_sub(kept));
        Passed {
            text: text.collect(),
            stopped: false,
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

    fn all(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let mut watch = StopWatch::new(&stops);
        let mut text = String::new();
        for piece in pieces {
            let passed = watch.pass(piece);
            text.push_str(&passed.text);
            if passed.stopped {
                return (text, true);
            }
        }
        (text + &watch.rest(), false)
    }

    #[test]
    fn a_stop_is_found_across_pieces_and_not_let_through() {
        assert_eq!(all(&["END"], &["a E", "N", "D b"]), ("a ".into(), true));
        assert_eq!(all(&["END"], &["a E", "N", "d"]), ("a ENd".into(), false));
        assert_eq!(all(&["aab"], &["aa", "ab"]), ("a".into(), true));
        assert_eq!(all(&["é!"], &["caf", "é", "!"]), ("caf".into(), true));
        assert_eq!(all(&["x", "bx"], &["ab", "x"]), ("a".into(), true));
        assert_eq!(all(&[], &["any"]), ("any".into(), false));
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
                Some(at) => (text[..at].to_owned(), true),
                None => (text.clone(), false),
            };
            prop_assert_eq!(all(&[&stop], &pieces), whole);
        }
    }
}
