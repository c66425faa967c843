//! What was said in one chat, in memory alone, up to a number of messages and of bytes.

use std::collections::VecDeque;

use serde_json::{Value, json};

/// The most bytes of text that are kept of one chat.
const MAX_BYTES: usize = 32 * 1024;

/// Questions and their answers, oldest first.
#[derive(Debug)]
pub(crate) struct History {
    most: usize,
    pairs: VecDeque<(String, String)>,
}

impl History {
    /// Keeps at most `most` messages: half of them questions, half answers.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            pairs: VecDeque::new(),
        }
    }

    pub(crate) fn forget(&mut self) {
        self.pairs.clear();
    }

    /// Keeps a question that was answered whole.
    pub(crate) fn keep(&mut self, question: String, answer: String) {
        self.pairs.push_back((question, answer));
        while self.pairs.len().saturating_mul(2) > self.most || self.bytes() > MAX_BYTES {
            self.pairs.pop_front();
        }
    }

    /// The conversation in the API's form, with `question` as its last message.
    pub(crate) fn messages(&self, system: &str, question: &str) -> Vec<Value> {
        let mut messages = vec![json!({"role": "system", "content": system})];
        for (asked, answered) in &self.pairs {
            messages.push(json!({"role": "user", "content": asked}));
            messages.push(json!({"role": "assistant", "content": answered}));
        }
        messages.push(json!({"role": "user", "content": question}));
        messages
    }

    fn bytes(&self) -> usize {
        let pairs = self.pairs.iter();
        pairs
            .map(|(asked, answered)| asked.len().saturating_add(answered.len()))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_up_to_both_bounds() {
        let mut history = History::new(4);
        for number in 0..3 {
            history.keep(format!("q{number}"), format!("a{number}"));
        }
        let kept: Vec<_> = history
            .messages("s", "q3")
            .iter()
            .map(|it| it["content"].clone())
            .collect();
        assert_eq!(kept, ["s", "q1", "a1", "q2", "a2", "q3"]);
        history.keep("long".into(), "x".repeat(MAX_BYTES));
        assert_eq!(history.messages("s", "q").len(), 2);
        history.keep("q".into(), "a".into());
        history.forget();
        assert_eq!(history.messages("s", "q").len(), 2);
    }
}
