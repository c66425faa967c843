//! Events filled to powers of two. What waits leaves together, in one write.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as HttpBody, Frame};

use super::{comment, size::bucket};
use crate::serve::answer::{Body, Broken};

/// After this many bytes no more is gathered for one write: less than hyper keeps before it writes.
const ENOUGH: usize = 16 * 1024;

/// A stream of events, each frame of which is filled.
pub(super) struct Bucketed {
    body: Body,
    /// What came after the frames that leave now.
    next: Option<Option<Result<Frame<Bytes>, Broken>>>,
}

impl Bucketed {
    pub(super) fn new(body: Body) -> Self {
        Self { body, next: None }
    }
}

impl HttpBody for Bucketed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(next) = self.next.take() {
            return Poll::Ready(next);
        }
        let mut ready = BytesMut::new();
        while ready.len() < ENOUGH {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            let frame = match polled {
                Poll::Pending if ready.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(frame) => frame.map(|frame| frame.map(Frame::into_data)),
            };
            let other = match frame {
                Some(Ok(Ok(events))) => {
                    append(&mut ready, &events);
                    continue;
                }
                Some(Ok(Err(trailers))) => Some(Ok(trailers)),
                Some(Err(broken)) => Some(Err(broken)),
                None => None,
            };
            if ready.is_empty() {
                return Poll::Ready(other);
            }
            self.next = Some(other);
            break;
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
