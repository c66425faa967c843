//! One connection, as its requests see it: what evidence is bound to, what it may still request, and its place.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrysalis_settle::TabsFull;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::{
    answer::{Body, Broken},
    places::Place,
    receipt::{Issuer, Seat},
};

/// How often something may be requested: so many times in a row, and once more after each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Times in a row.
    pub(crate) burst: u32,
    /// After this long, once more.
    pub(crate) every: Duration,
}

/// One connection.
pub(super) struct Conversation {
    /// What only the two ends of this connection know: RFC 9266.
    pub(super) exporter: [u8; 32],
    place: Place,
    evidence: Rate,
    /// When the whole burst is available again.
    rested: Mutex<Instant>,
    /// At its tab, once a request names a job.
    seat: OnceLock<Result<Seat, TabsFull>>,
}

impl Conversation {
    pub(super) fn new(exporter: [u8; 32], place: Place, evidence: Rate) -> Arc<Self> {
        Arc::new(Self {
            exporter,
            place,
            evidence,
            rested: Mutex::new(Instant::now()),
            seat: OnceLock::new(),
        })
    }

    /// Whether one more request for evidence is allowed at `now`; if so, it counts.
    pub(super) fn may_ask_for_evidence(&self, now: Instant) -> bool {
        let mut rested = self.rested.lock().unwrap_or_else(PoisonError::into_inner);
        let Rate { burst, every } = self.evidence;
        let after = rested.saturating_duration_since(now).saturating_add(every);
        if after > every.saturating_mul(burst) {
            return false;
        }
        *rested = now.checked_add(after).unwrap_or(now);
        true
    }

    /// Its place at its tab.
    pub(super) fn seat(&self, issuer: &Arc<Issuer>) -> Result<&Seat, TabsFull> {
        let seat = self.seat.get_or_init(|| issuer.seat(&self.exporter));
        seat.as_ref().map_err(|full| *full)
    }

    /// A whole request has come: from here on the place is not given to another connection.
    pub(super) fn is_answered(&self) {
        self.place.answered();
    }

    /// A body at whose end the connection is idle again, however it ends.
    pub(super) fn until_taken(self: Arc<Self>, body: Body) -> Taken {
        Taken {
            body,
            conversation: self,
        }
    }
}

/// A body on its way to the client.
pub(super) struct Taken {
    body: Body,
    conversation: Arc<Conversation>,
}

impl HttpBody for Taken {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.conversation.place.idle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::places::Places;

    #[test]
    fn evidence_may_be_asked_for_so_often_and_then_once_a_period() {
        let rate = Rate {
            burst: 2,
            every: Duration::from_secs(5),
        };
        let (place, _displaced) = Places::new(1, 1).enter();
        let conversation = Conversation::new([0; 32], place, rate);
        let mut now = Instant::now();
        assert!(conversation.may_ask_for_evidence(now));
        assert!(conversation.may_ask_for_evidence(now));
        assert!(!conversation.may_ask_for_evidence(now));
        now += rate.every;
        assert!(conversation.may_ask_for_evidence(now));
        assert!(!conversation.may_ask_for_evidence(now));
        now += rate.every * 10;
        assert!(conversation.may_ask_for_evidence(now));
        assert!(conversation.may_ask_for_evidence(now));
        assert!(!conversation.may_ask_for_evidence(now));
    }
}
