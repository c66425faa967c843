//! What the enclave sends while the engine computes: a thread reads it, so that a cancellation is seen at the next step.

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use anyhow::bail;
use chrysalis_wire::{
    engine::{Prompt, Sampling, ToEngine},
    frame::{self, FrameError},
};

/// A generation that the enclave requests.
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) prompt: Prompt,
    pub(crate) sampling: Sampling,
}

/// Messages from the enclave, oldest first.
pub(crate) struct Inbox {
    arriving: Receiver<Result<ToEngine, FrameError>>,
    waiting: VecDeque<Result<ToEngine, FrameError>>,
}

impl Inbox {
    /// Starts the thread that reads.
    pub(crate) fn open(mut enclave: UnixStream) -> Self {
        let (sender, arriving) = mpsc::channel();
        thread::spawn(move || {
            loop {
                let message = frame::read(&mut enclave);
                let last = message.is_err();
                if sender.send(message).is_err() || last {
                    return;
                }
            }
        });
        Self {
            arriving,
            waiting: VecDeque::new(),
        }
    }

    /// The next requested generation, or nothing once the enclave has closed the socket.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Request>> {
        loop {
            let message = match self.waiting.pop_front() {
                Some(message) => message,
                None => self.arriving.recv()?,
            };
            match message {
                Ok(ToEngine::Generate {
                    id,
                    prompt,
                    sampling,
                }) => {
                    return Ok(Some(Request {
                        id,
                        prompt,
                        sampling,
                    }));
                }
                // That generation is over.
                Ok(ToEngine::Cancel { .. }) => {}
                Ok(_) => bail!("a message that is neither Generate nor Cancel"),
                Err(FrameError::Closed) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether generation `id` must stop: it was cancelled, or the enclave is gone. Does not wait.
    pub(crate) fn cancelled(&mut self, id: u64) -> bool {
        self.waiting.extend(self.arriving.try_iter());
        self.waiting.iter().any(|message| match message {
            Ok(ToEngine::Cancel { id: cancelled }) => *cancelled == id,
            Ok(_) => false,
            Err(_) => true,
        })
    }
}
