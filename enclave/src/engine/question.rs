//! What the engine is asked, and what it answers.

use chrysalis_wire::engine::{FinishReason, GenerateError, Prompt, Sampling};

/// A question to the engine. Its values are in range: they were checked when it was made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub(crate) prompt: Prompt,
    pub(crate) sampling: Sampling,
}

/// A part of the answer. An answer that ends with an [`Event::Piece`], or with nothing, is incomplete: the engine failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The next tokens, and their text as far as it is whole characters.
    Piece { tokens: Vec<i32>, text: String },
    /// The answer is complete.
    Finished {
        reason: FinishReason,
        prompt_tokens: u32,
        completion_tokens: u32,
    },
    /// The engine will not answer this question.
    Refused(GenerateError),
    /// There is no engine to ask: it failed and could not be restarted.
    NoEngine,
    /// The answer was stopped before its end.
    Cut(Cut),
}

/// Why an answer was stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The client read it more slowly than it was generated, and the rest is not kept.
    NotRead,
    /// The engine sent more than an answer may contain.
    TooLong,
}
