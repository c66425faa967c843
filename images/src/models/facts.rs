//! What a model says of itself.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// What a model is for: which questions an engine may be asked about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Answers messages.
    Chat,
    /// Turns texts into vectors.
    Embedding,
    /// Says how well a text fits a question.
    Rerank,
    /// Turns speech into text.
    Speech,
}

impl ModelKind {
    /// As cards write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embedding => "embedding",
            Self::Rerank => "rerank",
            Self::Speech => "speech",
        }
    }
}

/// What a model says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What it is for, as far as its format tells.
    pub kind: ModelKind,
    /// The family of models that engines know it by, such as `llama`.
    pub architecture: String,
    /// Tokens of context that it was trained with.
    pub trained_context: u64,
    /// Digest of its tokenizer.
    pub tokenizer: Option<Sha256>,
    /// Digest of its chat template's text.
    pub template: Option<Sha256>,
    /// Its licence, where it names one.
    pub licence: Option<String>,
}
