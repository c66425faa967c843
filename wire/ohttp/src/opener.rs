//! Answers, opened: whole, or in chunks as they arrive.

use zeroize::Zeroizing;

use crate::{
    Error,
    chunks::{FINAL, Next, next},
    key::{AnswerKey, NONCE},
};

/// What opens the answer to one request.
pub struct Awaiting {
    pub(crate) encapsulated: Vec<u8>,
    pub(crate) secret: Zeroizing<[u8; NONCE]>,
}

impl Awaiting {
    /// Opens a whole answer.
    pub fn open(self, answer: &[u8]) -> Result<Vec<u8>, Error> {
        let (nonce, sealed) = answer.split_first_chunk().ok_or(Error::Truncated)?;
        self.key(nonce)?.open(sealed, &[])
    }

    /// Opens an answer in chunks, as it arrives.
    pub fn opener(self) -> Opener {
        Opener {
            state: State::Nonce(self),
            buffer: Vec::new(),
        }
    }

    fn key(&self, nonce: &[u8; NONCE]) -> Result<AnswerKey, Error> {
        AnswerKey::new(&self.secret, &self.encapsulated, nonce)
    }
}

/// Opens an answer in chunks, as it arrives.
pub struct Opener {
    state: State,
    buffer: Vec<u8>,
}

enum State {
    /// The answer's nonce is not here yet.
    Nonce(Awaiting),
    Chunks(Box<AnswerKey>),
    Failed(Error),
}

impl Opener {
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
        if let State::Nonce(awaiting) = &self.state {
            let Some((nonce, rest)) = self.buffer.split_first_chunk() else {
                return Ok(Vec::new());
            };
            self.state = State::Chunks(Box::new(awaiting.key(nonce)?));
            self.buffer = rest.to_vec();
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
