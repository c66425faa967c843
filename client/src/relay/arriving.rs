//! An answer on its way through a relay: opened as it arrives, and whole only with its last chunk.

use bytes::Bytes;
use chrysalis_ohttp::{self as ohttp, AnswerHead, AnswerReader, Awaiting, Opener, Part};
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
    /// `None` once the last chunk is open.
    opener: Option<Opener>,
    reader: AnswerReader,
    _driver: Task,
}

impl Arriving {
    pub(super) fn new(body: Incoming, awaiting: Awaiting, driver: Task) -> Self {
        Self {
            body,
            opener: Some(awaiting.opener()),
            reader: AnswerReader::default(),
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
            if let Some(part) = self.reader.next_part().map_err(broken)? {
                return Ok(Some(part));
            }
            if self.opener.is_none() {
                return if self.reader.is_over() {
                    Ok(None)
                } else {
                    Err(Error::Incomplete { what: "answer" })
                };
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
        let opened = match frame {
            Some(frame) => {
                let frame = frame.map_err(|error| from_hyper(&error, "answer"))?;
                let piece = frame.into_data().unwrap_or_default();
                self.opener.as_mut().map(|opener| opener.push(&piece))
            }
            None => self.opener.take().map(Opener::finish),
        };
        if let Some(opened) = opened {
            self.reader.push(&opened.map_err(broken)?);
        }
        Ok(())
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
