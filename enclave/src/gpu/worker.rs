//! The GPU worker's process and the conversation with it. Nothing that it says is trusted; a wrong message ends it.

use std::{io::ErrorKind, time::Duration};

use chrysalis_wire::{
    frame::{self, FrameError},
    gpu::{FromGpus, MAX_WHY, Missing, ToGpus},
};
use tokio::{net::UnixStream, time::timeout};

use crate::process::Process;

/// How long the worker may take to answer: the driver starts a GPU's own firmware, and compiles a program for the test.
const PATIENCE: Duration = Duration::from_mins(2);

/// A worker that has answered every question so far.
pub(crate) struct Worker {
    socket: UnixStream,
    /// Last, so that the socket closes before the process is ended.
    _process: Option<Process>,
}

/// The worker can no longer be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    /// It exited, or was killed.
    #[error("it ended")]
    Ended,
    /// It said nothing for [`PATIENCE`].
    #[error("it did not answer within {} seconds", PATIENCE.as_secs())]
    Stalled,
    /// It sent something although nothing had been asked.
    #[error("it spoke before it was asked")]
    Unasked,
    /// It answered a different question, or sent more than an answer may contain.
    #[error("it broke its protocol")]
    Misspoke,
}

impl From<FrameError> for Lost {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Closed | FrameError::Io(_) => Self::Ended,
            _ => Self::Misspoke,
        }
    }
}

/// The forms that the worker's "no" may take.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum No {
    /// There is no GPU to ask.
    Missing(Missing),
    /// In its own words.
    Failed(String),
    /// It is not fully confined, in its own words.
    Unconfined(String),
}

impl Worker {
    /// A worker at the other end of `socket`.
    pub(super) fn over(process: Option<Process>, socket: UnixStream) -> Self {
        Self {
            socket,
            _process: process,
        }
    }

    /// Asks one question; `wanted` picks its answer. Not cancel-safe: a conversation that is dropped half-way is at an end.
    pub(super) async fn ask<T>(
        &mut self,
        question: &ToGpus,
        wanted: fn(FromGpus) -> Option<T>,
    ) -> Result<Result<T, No>, Lost> {
        match self.socket.try_read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return Err(Lost::Ended),
            Ok(_) => return Err(Lost::Unasked),
        }
        let conversation = async {
            frame::write_async(&mut self.socket, question).await?;
            Ok::<FromGpus, Lost>(frame::read_async(&mut self.socket).await?)
        };
        let answer = timeout(PATIENCE, conversation)
            .await
            .map_err(|_| Lost::Stalled)??;
        match answer {
            FromGpus::Missing(Missing::Library { why }) => {
                let why = shortened(why);
                Ok(Err(No::Missing(Missing::Library { why })))
            }
            FromGpus::Missing(missing) => Ok(Err(No::Missing(missing))),
            FromGpus::Failed { why } => Ok(Err(No::Failed(shortened(why)))),
            FromGpus::Unconfined { why } => Ok(Err(No::Unconfined(shortened(why)))),
            answer => wanted(answer).map(Ok).ok_or(Lost::Misspoke),
        }
    }
}

fn shortened(mut why: String) -> String {
    why.truncate(why.floor_char_boundary(MAX_WHY));
    why
}
