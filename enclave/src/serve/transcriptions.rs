//! `POST /v1/audio/transcriptions`: audio in, text out.
//!
//! What is no audio is refused by its first bytes; the rest is decoded in the engine's room and comes back as samples; the
//! engine hears those, and what it says is checked and written here in the format asked for. So each engine's answers look
//! alike, and an engine that ignores a parameter is found out.

mod container;
mod decode;
mod form;
mod heard;
mod kind;
mod language;
mod render;
#[cfg(test)]
mod tests;
mod wav;

use bytes::Bytes;

use self::{language::Language, render::Format};
use super::error::ApiError;

/// A request for a transcription, checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Transcription {
    pub(super) model: String,
    file: Bytes,
    language: Option<Language>,
    prompt: Option<String>,
    format: Format,
    temperature: Option<f64>,
    stream: bool,
}

impl Transcription {
    /// Reads a request's body. `content_type` names the form's boundary.
    pub(super) fn parse(content_type: &str, body: &Bytes) -> Result<Self, ApiError> {
        form::parse(content_type, body)
    }
}
