//! An answer, whole or chunk by chunk, of either kind of completion.

use std::{collections::VecDeque, time::Duration};

use serde_json::Value;
use tokio::time::timeout;

use super::{
    answering::{Answering, Inquiry},
    error::ApiError,
    shape::{Collected, Shape},
    sse::{self, Source},
};

/// How long a stream waits for the answer to begin, so that what is refused at once still gets a status of its own. After that
/// the head is sent, because a client that hears nothing gives up.
const FIRST_WORD: Duration = Duration::from_millis(300);

/// An answer.
pub(super) enum Answer {
    /// In one object.
    Whole(Value),
    /// Chunk by chunk.
    Stream(Box<Chunks>),
}

/// A stream of chunks. Dropping it cancels the engine's work.
pub(super) struct Chunks {
    answering: Answering,
    shape: Shape,
    ready: VecDeque<Value>,
    ended: bool,
}

/// Asks, and answers in one object.
pub(super) async fn whole(inquiry: Inquiry, shape: Shape) -> Result<Answer, ApiError> {
    let choices = inquiry
        .questions
        .len()
        .saturating_mul(inquiry.choices as usize);
    let mut collected = vec![Collected::default(); choices];
    let mut answering = Answering::begin(inquiry)?;
    while let Some((choice, piece)) = answering.next().await? {
        if let Some(collected) = collected.get_mut(choice) {
            collected.add(piece);
        }
    }
    Ok(Answer::Whole(shape.whole(collected, answering.counts())))
}

/// Asks, and answers chunk by chunk. What fails within [`FIRST_WORD`] is still an error with a status of its own.
pub(super) async fn stream(inquiry: Inquiry, shape: Shape) -> Result<Answer, ApiError> {
    let mut chunks = Chunks {
        answering: Answering::begin(inquiry)?,
        shape,
        ready: VecDeque::new(),
        ended: false,
    };
    match timeout(FIRST_WORD, chunks.fill()).await {
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Ok(Answer::Stream(Box::new(chunks))),
    }
}

impl Chunks {
    /// The next chunk. None: the answer is complete. An error is the last: the answer is incomplete. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Result<Value, ApiError>> {
        if let Err(error) = self.fill().await {
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }

    /// Waits until there is a chunk, or will be no more.
    async fn fill(&mut self) -> Result<(), ApiError> {
        while self.ready.is_empty() && !self.ended {
            match self.answering.next().await {
                Ok(Some((choice, piece))) => self.ready.extend(self.shape.chunks(choice, &piece)),
                Ok(None) => {
                    self.ended = true;
                    let counts = self.answering.counts();
                    self.ready.extend(self.shape.usage_chunk(counts));
                }
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// Chunks as OpenAI sends them. An error in mid-stream is an event of its own, and no `[DONE]` follows: the client knows that
/// the answer is incomplete.
pub(super) struct Events {
    chunks: Box<Chunks>,
    done: bool,
}

impl Events {
    pub(super) fn new(chunks: Box<Chunks>) -> Self {
        Self {
            chunks,
            done: false,
        }
    }
}

impl Source for Events {
    async fn next(&mut self) -> Option<String> {
        if self.done {
            return None;
        }
        match self.chunks.next().await {
            Some(Ok(chunk)) => Some(sse::data(&chunk)),
            Some(Err(error)) => {
                self.done = true;
                Some(sse::data(&error.to_json()))
            }
            None => {
                self.done = true;
                Some(sse::DONE.to_owned())
            }
        }
    }
}
