//! A chat completion's chunks as another API's events.

use std::fmt::Write;

use serde_json::Value;

use super::{chunks::Chunks, error::ApiError, event::SseEvent, sse::Source};

/// Makes events of chunks.
pub(super) trait Translate: Send + 'static {
    /// The events that a chunk makes.
    fn chunk(&mut self, chunk: &Value) -> Vec<SseEvent>;
    /// The events after the last chunk.
    fn finish(&mut self) -> Vec<SseEvent>;
    /// The event of an answer that stays incomplete: the last.
    fn fail(&mut self, error: &ApiError) -> Vec<SseEvent>;
}

/// The stream of those events.
pub(super) struct Translated<T> {
    chunks: Box<Chunks>,
    translate: T,
    ended: bool,
}

impl<T: Translate> Translated<T> {
    pub(super) fn new(chunks: Box<Chunks>, translate: T) -> Self {
        Self {
            chunks,
            translate,
            ended: false,
        }
    }
}

impl<T: Translate> Source for Translated<T> {
    async fn next(&mut self) -> Option<String> {
        while !self.ended {
            let events = match self.chunks.next().await {
                Some(Ok(chunk)) => self.translate.chunk(&chunk),
                Some(Err(error)) => {
                    self.ended = true;
                    self.translate.fail(&error)
                }
                None => {
                    self.ended = true;
                    self.translate.finish()
                }
            };
            if !events.is_empty() {
                let mut text = String::new();
                for event in events {
                    let _ = write!(text, "{event}");
                }
                return Some(text);
            }
        }
        None
    }
}
