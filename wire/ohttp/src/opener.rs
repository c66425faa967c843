//! Answers in chunks, opened as they arrive.

use crate::{
    Error,
    chunks::{FINAL, Next, next},
    key::{AnswerKey, NONCE},
};

/// Opens an answer in chunks, as it arrives.
pub struct Opener {
    state: State,
    buffer: Vec<u8>,
}

/// Makes the answer's key of its nonce.
type MakeKey = Box<dyn FnOnce(&[u8; NONCE]) -> Result<AnswerKey, Error> + Send>;

enum State {
    /// The answer's nonce is not here yet.
    Nonce(MakeKey),
    Chunks(Box<AnswerKey>),
    Failed(Error),
}

impl Opener {
    pub(crate) fn new(
        key: impl FnOnce(&[u8; NONCE]) -> Result<AnswerKey, Error> + Send + 'static,
    ) -> Self {
        Self {
            state: State::Nonce(Box::new(key)),
            buffer: Vec::new(),
        }
    }

    /// Takes bytes that arrived, and gives what they open.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        self.buffer.extend_from_slice(bytes);
        let opened = self.opened();
        if let Err(error) = opened {
            self.state = State::Failed(error);
        }
        opened
    }

    fn opened(&mut self) -> Result<Vec<u8>, Error> {
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        if let State::Nonce(_) = self.state {
            let Some((nonce, rest)) = self.buffer.split_first_chunk::<NONCE>() else {
                return Ok(Vec::new());
            };
            let (nonce, rest) = (*nonce, rest.to_vec());
            let failed = State::Failed(Error::Unencryptable);
            if let State::Nonce(key) = std::mem::replace(&mut self.state, failed) {
                self.state = State::Chunks(Box::new(key(&nonce)?));
            }
            self.buffer = rest;
        }
        let State::Chunks(key) = &mut self.state else {
            return Err(Error::Undecryptable);
        };
        let mut message = Vec::new();
        let mut rest = self.buffer.as_slice();
        while let Next::Chunk { sealed, after } = next(rest)? {
            message.extend(key.open(sealed, &[])?);
            rest = after;
        }
        self.buffer = rest.to_vec();
        Ok(message)
    }

    /// The last bytes, once no more can arrive. An error if the final chunk is not there.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        match self.state {
            State::Failed(error) => Err(error),
            State::Nonce(_) => Err(Error::Truncated),
            State::Chunks(mut key) => match next(&self.buffer)? {
                Next::Last(sealed) => key.open(sealed, FINAL),
                Next::More | Next::Chunk { .. } => Err(Error::FinalChunkMissing),
            },
        }
    }
}
