//! An event stream on its way through the proxy. It ends as the enclave ended it, or with an error event and a cut connection, so
//! that a part can never pass for the whole.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::{
    gate::{Gate, Lease},
    reply::{self, Body},
};
use crate::{Answer, Error, events::WholeEvents};

/// Time for the error event to leave before the connection is cut under it.
const LAST_WORDS: Duration = Duration::from_millis(50);

struct Streaming {
    gate: Arc<Gate>,
    lease: Lease,
    answer: Answer,
    events: WholeEvents,
    end_of_trust: Pin<Box<dyn Future<Output = Error> + Send>>,
}

enum State {
    Streaming(Box<Streaming>),
    Broken(Error),
    Over,
}

type Piece = Result<Frame<Bytes>, Error>;

/// The body that passes `answer` on, and gives the lease back when the answer has arrived whole.
pub(super) fn body(gate: Arc<Gate>, lease: Lease, answer: Answer) -> Body {
    let end_of_trust = Box::pin(lease.end_of_trust());
    let events = WholeEvents::default();
    let start = Streaming {
        gate,
        lease,
        answer,
        events,
        end_of_trust,
    };
    let pieces = stream::unfold(State::Streaming(Box::new(start)), |state| async {
        match state {
            State::Streaming(streaming) => streaming.next().await,
            State::Broken(error) => {
                tokio::time::sleep(LAST_WORDS).await;
                Some((Err(error), State::Over))
            }
            State::Over => None,
        }
    });
    StreamBody::new(pieces).boxed_unsync()
}

impl Streaming {
    async fn next(mut self: Box<Self>) -> Option<(Piece, State)> {
        loop {
            let frame = tokio::select! {
                biased;
                error = &mut self.end_of_trust => Some(Err(error)),
                frame = self.answer.frame() => frame,
            };
            let bytes = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => self.events.push(&piece),
                    Err(_trailers) => continue,
                },
                Some(Err(error)) => return Some(broken(error)),
                None => {
                    let rest = self.events.finish();
                    self.gate.give_back(self.lease);
                    return (!rest.is_empty()).then(|| (Ok(Frame::data(rest)), State::Over));
                }
            };
            if !bytes.is_empty() {
                return Some((Ok(Frame::data(bytes)), State::Streaming(self)));
            }
        }
    }
}

fn broken(error: Error) -> (Piece, State) {
    tracing::warn!(event = "stream_broken", code = error.code());
    (
        Ok(Frame::data(reply::broken_stream(&error))),
        State::Broken(error),
    )
}
