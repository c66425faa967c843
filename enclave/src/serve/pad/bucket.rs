//! Events filled to powers of two. What waits leaves together, in one write.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as HttpBody, Frame};

use super::{
    comment,
    piece::{End, Piece},
    size::bucket,
};
use crate::serve::answer::{Body, Broken};

/// After this many bytes no more is gathered for one write: less than hyper keeps before it writes.
const ENOUGH: usize = 16 * 1024;

/// A stream of events, each frame of which is filled.
pub(super) struct Bucketed {
    body: Body,
    /// What ended the frames that leave now.
    end: Option<End>,
}

impl Bucketed {
    pub(super) fn new(body: Body) -> Self {
        Self { body, end: None }
    }
}

impl HttpBody for Bucketed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(end) = self.end.take() {
            return Poll::Ready(end.into());
        }
        let mut ready = BytesMut::new();
        while ready.len() < ENOUGH {
            let piece = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Pending if ready.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(frame) => Piece::from(frame),
            };
            match piece {
                Piece::Events(events) => append(&mut ready, &events),
                Piece::End(end) if ready.is_empty() => return Poll::Ready(end.into()),
                Piece::End(end) => {
                    self.end = Some(end);
                    break;
                }
            }
        }
        Poll::Ready(Some(Ok(Frame::data(ready.freeze()))))
    }
}

/// Appends events and their comment.
fn append(ready: &mut BytesMut, events: &[u8]) {
    let size = bucket(events.len().saturating_add(comment::SHORTEST));
    ready.extend_from_slice(events);
    comment::append(ready, size.saturating_sub(events.len()));
}
