//! What a body gives next: events to fill, or what ends them.

use bytes::Bytes;
use hyper::body::Frame;

use crate::serve::answer::Broken;

/// A frame of a body, or its end.
type Polled = Option<Result<Frame<Bytes>, Broken>>;

/// What came of a body.
pub(super) enum Piece {
    Events(Bytes),
    End(End),
}

/// How the events end.
pub(super) enum End {
    Whole,
    Trailers(Frame<Bytes>),
    Broken(Broken),
}

impl From<Polled> for Piece {
    fn from(polled: Polled) -> Self {
        match polled.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(events))) => Self::Events(events),
            Some(Ok(Err(trailers))) => Self::End(End::Trailers(trailers)),
            Some(Err(broken)) => Self::End(End::Broken(broken)),
            None => Self::End(End::Whole),
        }
    }
}

impl From<End> for Polled {
    fn from(end: End) -> Self {
        match end {
            End::Whole => None,
            End::Trailers(trailers) => Some(Ok(trailers)),
            End::Broken(broken) => Some(Err(broken)),
        }
    }
}
