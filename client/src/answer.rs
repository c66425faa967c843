//! An answer's body as it streams in: either whole, or an error that says it is not.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::{Error, relay, term::Term};

/// The body of an answer. It ends in [`Error::Incomplete`] when the connection is cut, in [`Error::Stalled`] when the peer falls
/// silent, and in [`Error::Expired`] when the connection's term is over. A clean end means that the enclave itself ended the
/// answer, inside TLS, or sealed where it came through a relay.
pub struct Answer {
    body: relay::Body,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    term: Term,
    end_of_term: Pin<Box<dyn Future<Output = Error> + Send>>,
    over: bool,
}

impl Answer {
    pub(crate) fn new(body: relay::Body, idle: Duration, term: Term) -> Self {
        Self {
            body,
            idle,
            timer: Box::pin(sleep(idle)),
            end_of_term: Box::pin(term.ended()),
            term,
            over: false,
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        // Before the body, so that a peer that never pauses does not outlast its term.
        let ended = self.end_of_term.as_mut().poll(context);
        if ended.is_ready() || self.term.is_over() {
            self.over = true;
            return Poll::Ready(Some(Err(self.term.expired())));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let next = Instant::now() + self.idle;
            self.timer.as_mut().reset(next);
            self.over = !matches!(frame, Some(Ok(_)));
            return Poll::Ready(frame);
        }
        ready!(self.timer.as_mut().poll(context));
        self.over = true;
        Poll::Ready(Some(Err(Error::Stalled {
            what: "next piece of the answer",
            after: self.idle,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
