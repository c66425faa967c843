//! What the engine is asked, and what it answers.

use chrysalis_wire::engine::{FinishReason, GenerateError, Prompt, Sampling};

/// A question to the engine. The values are in range: whoever made it has checked them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub(crate) prompt: Prompt,
    pub(crate) sampling: Sampling,
}

/// A part of the answer. An answer that ends with a [`Event::Piece`], or with nothing, is incomplete: the engine broke.
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
    /// There is no engine to ask: it broke and could not be started again.
    NoEngine,
    /// The answer was ended before its end.
    Cut(Cut),
}

/// Why an answer was ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The client took it more slowly than it was made, and the rest of it is not kept.
    NotRead,
    /// The engine said more than an answer can have.
    TooLong,
}
