//! An answer in chunks on its way: opened and read as it arrives.

use crate::{
    Error,
    answer::{AnswerReader, Part},
    opener::{Awaiting, Opener},
};

/// An answer in chunks on its way. It is whole only with its final chunk: until then, more may be missing.
pub struct IncomingAnswer {
    /// `None` once the final chunk is open.
    opener: Option<Opener>,
    reader: AnswerReader,
}

impl IncomingAnswer {
    /// Takes bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(opener) = &mut self.opener else {
            return Err(Error::Inside("something follows it"));
        };
        self.reader.push(&opener.push(bytes)?);
        Ok(())
    }

    /// Says that nothing more can arrive. An error if the final chunk is not there.
    pub fn end(&mut self) -> Result<(), Error> {
        if let Some(opener) = self.opener.take() {
            self.reader.push(&opener.finish()?);
        }
        Ok(())
    }

    /// Whether [`Self::end`] was called.
    pub fn has_ended(&self) -> bool {
        self.opener.is_none()
    }

    /// What comes next. `None` before the end if more has to arrive first, and after it once all has been read.
    pub fn next_part(&mut self) -> Result<Option<Part>, Error> {
        let part = self.reader.next_part()?;
        if part.is_none() && self.has_ended() && !self.reader.is_over() {
            return Err(Error::Truncated);
        }
        Ok(part)
    }
}

impl From<Awaiting> for IncomingAnswer {
    fn from(awaiting: Awaiting) -> Self {
        Self {
            opener: Some(awaiting.opener()),
            reader: AnswerReader::default(),
        }
    }
}
