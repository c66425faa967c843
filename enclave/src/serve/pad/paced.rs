//! Events at a steady pace: every 50 ms so many bytes, whether there is anything to say or not, from the same moment after each
//! request on, and to the next full second after the last word.
//!
//! What there is not room for waits for the next slot; an event may go on in the next. Slots lie on a grid that begins with the
//! request. A slot that a slow reader made late is left out, never made up for.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as HttpBody, Frame};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{
    comment,
    piece::{End, Piece},
};
use crate::serve::answer::{Body, Broken};

/// Bytes of a slot: fourteen of a chat's words, so that 280 words a second keep up.
const SLOT: usize = 4096;
/// Answers end on a full one.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// From one slot to the next.
const TICK: Duration = Duration::from_millis(50);
/// The first slot: after the time for which streams wait for a first word, so that it tells nothing of that.
const FIRST: u32 = 8;

/// A stream of events, paced.
pub(super) struct Paced {
    body: Body,
    begun: Instant,
    ticks: Interval,
    /// What has not left yet, from the beginning of a slot on.
    waiting: BytesMut,
    /// What comes after the last events, once that is known.
    end: Option<End>,
    /// The full second that was next when the last events left.
    last: Option<u128>,
    over: bool,
}

impl Paced {
    /// For the answer to a request that came at `begun`.
    pub(super) fn new(body: Body, begun: Instant) -> Self {
        let tick = begun.elapsed().as_millis().div_ceil(TICK.as_millis());
        let tick = u32::try_from(tick).unwrap_or(u32::MAX).max(FIRST);
        let mut ticks = interval_at(begun + TICK.saturating_mul(tick), TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self {
            body,
            begun,
            ticks,
            waiting: BytesMut::new(),
            end: None,
            last: None,
            over: false,
        }
    }

    /// Takes what there is, as far as the next slot has room for it.
    fn gather(&mut self, context: &mut Context<'_>) {
        while self.waiting.len() < SLOT && self.end.is_none() {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                return;
            };
            match Piece::from(frame) {
                Piece::Events(events) => self.push(&events),
                Piece::End(end) => self.end = Some(end),
            }
        }
    }

    /// Keeps events for the next slots. Where a slot would have less room left than a comment takes, one is put across its end.
    fn push(&mut self, events: &[u8]) {
        self.waiting.extend_from_slice(events);
        let gap = SLOT - self.waiting.len() % SLOT;
        if gap < comment::SHORTEST {
            comment::append(&mut self.waiting, comment::SHORTEST);
        }
    }

    /// The bytes of a slot.
    fn slot(&mut self) -> Bytes {
        let mut slot = self.waiting.split_to(self.waiting.len().min(SLOT));
        let gap = SLOT.saturating_sub(slot.len());
        if gap > 0 {
            comment::append(&mut slot, gap);
        }
        slot.freeze()
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.over {
            return Poll::Ready(self.end.take().and_then(Into::into));
        }
        self.gather(context);
        let tick = ready!(self.ticks.poll_tick(context));
        let since = tick.saturating_duration_since(self.begun).as_nanos();
        let slot = self.slot();
        if self.end.is_some() && self.waiting.is_empty() {
            let next = since.div_ceil(SECOND.as_nanos());
            let last = *self.last.get_or_insert(next);
            self.over = since >= last.saturating_mul(SECOND.as_nanos());
        }
        Poll::Ready(Some(Ok(Frame::data(slot))))
    }
}
