//! An event stream on its way through the proxy. It ends as the enclave ended it, or with an error event and a cut connection, so
//! that a part can never pass for the whole.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::{
    gate::{Gate, Lease},
    receipts::{Found, Job, Watch},
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
    /// Looks for the receipt, where one belongs to the stream.
    watch: Option<Watch>,
    end_of_trust: Pin<Box<dyn Future<Output = Error> + Send>>,
}

enum State {
    Streaming(Box<Streaming>),
    Broken(Error),
    Over,
}

type Piece = Result<Frame<Bytes>, Error>;

/// The body that passes `answer` on, and gives the lease back when the answer has arrived whole, with the receipt of `job` if it is one.
pub(super) fn body(gate: Arc<Gate>, lease: Lease, answer: Answer, job: Option<Job>) -> Body {
    let end_of_trust = Box::pin(lease.end_of_trust());
    let events = WholeEvents::default();
    let watch = job.map(|job| Watch::new(job, &gate, &lease));
    let start = Streaming {
        gate,
        lease,
        answer,
        events,
        watch,
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
                    if let Some(Err(error)) = self.watch.as_mut().map(Watch::end) {
                        return Some(broken(error));
                    }
                    self.gate.give_back(self.lease);
                    return (!rest.is_empty()).then(|| (Ok(Frame::data(rest)), State::Over));
                }
            };
            let bytes = match self.checked(bytes).await {
                Ok(bytes) => bytes,
                Err(error) => return Some(broken(error)),
            };
            if !bytes.is_empty() {
                return Some((Ok(Frame::data(bytes)), State::Streaming(self)));
            }
        }
    }

    /// These events once the receipt among them, if there is one, has been checked.
    async fn checked(&mut self, events: Bytes) -> Result<Bytes, Error> {
        let Some(watch) = &mut self.watch else {
            return Ok(events);
        };
        match watch.look(&events)? {
            Found::Nothing => Ok(events),
            Found::Receipt { receipt, passed } => {
                watch.check(&self.gate, &mut self.lease, &receipt).await?;
                Ok(passed)
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
