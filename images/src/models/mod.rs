//! What files of weights say of themselves: the cards of models are made from it. Reads formats of others, bounded, and
//! believes nothing but their layout: which weights they are is for the digest to say.

mod bounded;
pub mod ctranslate2;
mod error;
pub mod folder;
pub mod gguf;
pub mod whisper;

use std::io::Read;

pub use error::NotModel;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use bounded::Bounded;

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

/// Reads a file of weights of this length: GGUF, or whisper.cpp's GGML. Reads no more than the front of it.
pub fn read(file: &mut dyn Read, length: u64) -> Result<Facts, NotModel> {
    let mut source = Bounded::new(file, length);
    let magic = source.array::<4>()?;
    match &magic {
        b"GGUF" => gguf::read(source),
        &whisper::MAGIC => whisper::read(source),
        _ => Err(NotModel::UnknownFormat { magic }),
    }
}
