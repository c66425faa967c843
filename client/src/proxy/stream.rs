//! An event stream on its way through the proxy. It ends as the enclave ended it, or with an error event and a cut connection, so
//! that a part can never pass for the whole.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::{
    gate::{Gate, Lease},
    receipts::{Found, Job, Watch},
    reply::{self, Body},
};
use crate::{
    Answer, Error,
    events::{self, WholeEvents},
};

/// Time for the error event to leave before the connection is cut under it.
const LAST_WORDS: Duration = Duration::from_millis(50);

pub(super) struct Streaming {
    gate: Arc<Gate>,
    lease: Lease,
    answer: Answer,
    events: WholeEvents,
    /// Looks for the receipt, where one belongs to the stream.
    watch: Option<Watch>,
    end_of_trust: Pin<Box<dyn Future<Output = Error> + Send>>,
    teller: Option<Teller>,
    last_words: LastWords,
}

/// Whether a stream that breaks says so in an event of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastWords {
    /// For programs behind HTTP, which see of the error that their connection was cut.
    Said,
    /// For this process, which gets the error itself.
    None,
}

/// Who hears how a stream ends, and whose program hears what it cost.
pub(super) type Teller = Arc<dyn Fn(&Error) + Send + Sync>;

pub(super) enum State {
    /// Something of it has come already.
    Begun(Bytes, Box<State>),
    Streaming(Box<Streaming>),
    Broken(Error),
    Over,
}

type Piece = Result<Frame<Bytes>, Error>;

/// The body that passes `answer` on, and gives the lease back when the answer has arrived whole, with the receipt of `job` if it is one.
pub(super) fn body(
    gate: Arc<Gate>,
    lease: Lease,
    answer: Answer,
    job: Option<Job>,
    last_words: LastWords,
) -> Body {
    let mut start = Streaming::new(gate, lease, answer, job, None);
    start.last_words = last_words;
    body_from(Bytes::new(), State::Streaming(start))
}

/// The body that begins with `first`.
pub(super) fn body_from(first: Bytes, rest: State) -> Body {
    let state = if first.is_empty() {
        rest
    } else {
        State::Begun(first, Box::new(rest))
    };
    let pieces = stream::unfold(state, |state| async {
        match state {
            State::Begun(first, rest) => Some((Ok(Frame::data(first)), *rest)),
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
    /// `teller` hears of a break; with one, a comment tells the program what the answer cost.
    pub(super) fn new(
        gate: Arc<Gate>,
        lease: Lease,
        answer: Answer,
        job: Option<Job>,
        teller: Option<Teller>,
    ) -> Box<Self> {
        Box::new(Self {
            end_of_trust: Box::pin(lease.end_of_trust()),
            events: WholeEvents::default(),
            watch: job.map(|job| Watch::new(job, &gate, &lease)),
            gate,
            lease,
            answer,
            teller,
            last_words: LastWords::Said,
        })
    }

    /// Reads until the answer has begun: comments, and then an event with something in it. Nothing was passed on where this fails.
    pub(super) async fn first(self: Box<Self>) -> Result<(Bytes, State), Error> {
        let mut begun = BytesMut::new();
        let mut streaming = self;
        loop {
            let Some((piece, state)) = streaming.next().await else {
                return Ok((begun.freeze(), State::Over));
            };
            if let State::Broken(error) = state {
                return Err(error);
            }
            let bytes = piece?.into_data().unwrap_or_default();
            begun.extend_from_slice(&bytes);
            match state {
                State::Streaming(more) if events::data(&begun).next().is_none() => streaming = more,
                state => return Ok((begun.freeze(), state)),
            }
        }
    }

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
                Some(Err(error)) => return Some(self.broken(error)),
                None => {
                    let rest = self.events.finish();
                    if let Some(Err(error)) = self.watch.as_mut().map(Watch::end) {
                        return Some(self.broken(error));
                    }
                    self.gate.give_back(self.lease);
                    return (!rest.is_empty()).then(|| (Ok(Frame::data(rest)), State::Over));
                }
            };
            let bytes = match self.checked(bytes).await {
                Ok(bytes) => bytes,
                Err(error) => return Some(self.broken(error)),
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
            Found::Receipt {
                receipt,
                before,
                after,
            } => {
                let spent = watch.check(&self.gate, &mut self.lease, &receipt).await?;
                let told = match &self.teller {
                    Some(_) => format!(": {} {spent}\n\n", reply::SPENT),
                    None => String::new(),
                };
                Ok([&before, told.as_bytes(), &after].concat().into())
            }
        }
    }
}

impl Streaming {
    fn broken(&self, error: Error) -> (Piece, State) {
        if let Some(teller) = &self.teller {
            teller(&error);
        }
        match self.last_words {
            LastWords::Said => broken(error),
            LastWords::None => (Err(error), State::Over),
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
