//! What is heard, as events: the words of each stretch as soon as it was heard, and then all of them.

use std::time::Duration;

use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{listen::Listening, render};
use crate::serve::{
    error::ApiError,
    sse::{self, Source},
};

/// How long a stream waits for an answer, so that what is refused at once still gets a status of its own.
const FIRST_WORD: Duration = Duration::from_millis(300);

/// The stream of those events.
pub(super) struct Words {
    listening: Listening,
    /// Segments that were sent.
    sent: usize,
    ended: bool,
    /// Room for the recording, until it was heard.
    _seat: OwnedSemaphorePermit,
}

impl Words {
    /// Begins to listen.
    pub(super) async fn begin(
        mut listening: Listening,
        seat: OwnedSemaphorePermit,
    ) -> Result<Self, ApiError> {
        if let Ok(Err(error)) = timeout(FIRST_WORD, listening.next()).await {
            return Err(error);
        }
        Ok(Self {
            listening,
            sent: 0,
            ended: false,
            _seat: seat,
        })
    }
}

impl Source for Words {
    async fn next(&mut self) -> Option<String> {
        while !self.ended {
            let fresh = render::deltas(self.listening.heard(), self.sent);
            if !fresh.is_empty() {
                self.sent = self.listening.heard().segments.len();
                return Some(fresh.iter().map(sse::data).collect());
            }
            match self.listening.next().await {
                Ok(true) => {}
                Ok(false) => {
                    self.ended = true;
                    return Some(sse::data(&render::done(self.listening.heard())));
                }
                Err(error) => {
                    self.ended = true;
                    return Some(sse::data(&error.to_json()));
                }
            }
        }
        None
    }
}
