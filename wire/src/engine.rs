//! What the enclave asks of its engine worker, over a socket pair. The worker has no network, no keys and no files but
//! the weights; it is told token limits, never who asks.

use serde::{Deserialize, Serialize};

/// The most messages a conversation may have.
pub const MAX_MESSAGES: usize = 256;

/// A request to the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ToEngine {
    /// Load the weights; answered by [`FromEngine::Loaded`]. Once, first.
    Load {
        /// Where the worker finds the weights.
        path: String,
        /// Tokens of context.
        context: u32,
        /// Threads that compute.
        threads: u32,
    },
    /// Generate; answered by any number of [`FromEngine::Token`], then one [`FromEngine::Finished`] or
    /// [`FromEngine::Failed`]. One at a time.
    Generate {
        /// Chosen by the enclave, echoed in every answer.
        id: u64,
        /// What the answer goes on from.
        prompt: Prompt,
        /// How to choose tokens.
        sampling: Sampling,
    },
    /// Stop generation `id` within one step. Answered by that generation's [`FromEngine::Finished`] with
    /// [`FinishReason::Cancelled`]; ignored when it is over.
    Cancel {
        /// Which generation.
        id: u64,
    },
}

/// What an answer goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prompt {
    /// A conversation in the model's own template: messages, oldest first, at most [`MAX_MESSAGES`].
    Conversation(Vec<Message>),
    /// A text as it stands. Nothing in it is special, and the model was not trained to be asked so: it goes on.
    Text(String),
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
}

/// How to choose tokens. The enclave has checked the ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Most tokens to make.
    pub max_tokens: u32,
    /// 0 chooses the likeliest token every time; at most 2.
    pub temperature: f32,
    /// Keep the likeliest tokens that together reach this probability; 1 keeps all, 0 the likeliest.
    pub top_p: f32,
    /// The same seed and input give the same output.
    pub seed: u32,
    /// Texts that end the answer; they are not emitted.
    pub stop: Vec<String>,
}

/// An answer of the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FromEngine {
    /// The weights are loaded.
    Loaded {
        /// Such as `llama.cpp`, with its version.
        engine: String,
        /// The name the weights give themselves.
        model: String,
        /// Tokens the model was trained for.
        trained_context: u32,
        /// Hexadecimal SHA-256 of the chat template.
        template_sha256: String,
    },
    /// The worker cannot load; it exits next.
    LoadFailed {
        /// What is wrong with the weights.
        why: String,
    },
    /// A piece of the answer: whole characters only.
    Token {
        /// Which generation.
        id: u64,
        /// Token numbers since the last piece.
        tokens: Vec<i32>,
        /// Their text, possibly empty while a stop text may still be forming.
        text: String,
    },
    /// The generation is over and its memory scrubbed.
    Finished {
        /// Which generation.
        id: u64,
        /// Why it ended.
        reason: FinishReason,
        /// Tokens of the prompt.
        prompt_tokens: u32,
        /// Tokens made.
        completion_tokens: u32,
    },
    /// The generation did not start or broke; the worker goes on.
    Failed {
        /// Which generation.
        id: u64,
        /// Why.
        error: GenerateError,
    },
    /// Instead of [`FromEngine::Loaded`]: the kernel does not put up all of the worker's walls; it exits next.
    Unconfined {
        /// What is missing.
        why: String,
    },
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinishReason {
    /// The model ended its answer, or a stop text appeared.
    Stop,
    /// `max_tokens` were made, or the context is full.
    Length,
    /// The enclave asked.
    Cancelled,
}

/// Why a generation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GenerateError {
    /// The prompt alone does not fit.
    ContextExceeded {
        /// Tokens of the prompt.
        prompt_tokens: u32,
        /// Tokens of context.
        context: u32,
    },
    /// The conversation could not be put in the model's template.
    Template(String),
    /// The engine failed.
    Internal(String),
}
