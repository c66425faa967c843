//! An answer on its way through a relay: opened as it arrives, and whole only with its last chunk.

use bytes::Bytes;
use chrysalis_ohttp::{self as ohttp, AnswerHead, Awaiting, IncomingAnswer, Part};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Response, StatusCode,
    body::{Body as _, Frame, Incoming},
    header::{HeaderName, HeaderValue},
};

use crate::{Error, channel::Task, error::from_hyper};

/// A body that ends in an error unless all of it has come.
pub(crate) type Body = UnsyncBoxBody<Bytes, Error>;

/// An answer on its way.
pub(super) struct Arriving {
    body: Incoming,
    answer: IncomingAnswer,
    _driver: Task,
}

impl Arriving {
    pub(super) fn new(body: Incoming, awaiting: Awaiting, driver: Task) -> Self {
        Self {
            body,
            answer: awaiting.into(),
            _driver: driver,
        }
    }

    pub(super) async fn response(mut self) -> Result<Response<Body>, Error> {
        let Some(Part::Head(head)) = self.next().await? else {
            return Err(Error::Incomplete { what: "answer" });
        };
        let pieces = stream::unfold(Some(self), |arriving| async {
            let mut arriving = arriving?;
            match arriving.next().await {
                Ok(None) => None,
                Ok(Some(Part::Content(piece))) => {
                    Some((Ok(Frame::data(Bytes::from(piece))), Some(arriving)))
                }
                Ok(Some(Part::Head(_))) => Some((Err(twice()), None)),
                Err(error) => Some((Err(error), None)),
            }
        });
        let mut response = Response::new(StreamBody::new(pieces).boxed_unsync());
        let (status, headers) = heads(head)?;
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    /// What comes next; `None` once all has come.
    async fn next(&mut self) -> Result<Option<Part>, Error> {
        loop {
            let part = self.answer.next_part().map_err(broken)?;
            if part.is_some() || self.answer.has_ended() {
                return Ok(part);
            }
            self.read().await?;
        }
    }

    /// Reads what arrives next, or the last chunk once nothing more does.
    async fn read(&mut self) -> Result<(), Error> {
        let frame = if self.body.is_end_stream() {
            None
        } else {
            self.body.frame().await
        };
        let Some(frame) = frame else {
            return self.answer.end().map_err(broken);
        };
        let frame = frame.map_err(|error| from_hyper(&error, "answer"))?;
        let piece = frame.into_data().unwrap_or_default();
        self.answer.push(&piece).map_err(broken)
    }
}

fn heads(head: AnswerHead) -> Result<(StatusCode, HeaderMap), Error> {
    let wrong = || Error::Protocol("its answer has a head that is none".into());
    let status = StatusCode::from_u16(head.status).map_err(|_| wrong())?;
    let mut headers = HeaderMap::new();
    for (name, value) in head.headers {
        let name = HeaderName::from_bytes(&name).map_err(|_| wrong())?;
        let value = HeaderValue::from_bytes(&value).map_err(|_| wrong())?;
        headers.append(name, value);
    }
    Ok((status, headers))
}

fn twice() -> Error {
    Error::Protocol("its answer has two heads".into())
}

/// What is wrong with an answer that came through the relay.
fn broken(error: ohttp::Error) -> Error {
    match error {
        ohttp::Error::FinalChunkMissing | ohttp::Error::Truncated => {
            Error::Incomplete { what: "answer" }
        }
        ohttp::Error::Undecryptable | ohttp::Error::ChunkTooLong => Error::AnswerAltered,
        error => Error::Protocol(error.to_string()),
    }
}
