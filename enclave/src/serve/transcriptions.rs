//! `POST /v1/audio/transcriptions`: audio in, text out.
//!
//! What is no audio is refused by its first bytes; the rest is decoded in the engine's room and comes back as samples; the
//! engine hears those, and what it says is checked and written here in the format asked for. So each engine's answers look
//! alike, and an engine that ignores a parameter is found out.

mod container;
mod decode;
mod form;
mod heard;
mod kind;
mod language;
mod listen;
mod render;
mod stream;
#[cfg(test)]
mod tests;
mod wav;
mod words;

use chrysalis_wire::configuration::Kind;
use hyper::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use tokio::sync::OwnedSemaphorePermit;

use self::{
    form::Transcription,
    listen::Listening,
    render::{Format, Times},
    stream::Words,
    wav::Wav,
};
use super::{
    answer::{self, Body},
    error::ApiError,
    intake::{self, Arriving},
    receipt::{Meter, Units, Wanted},
    service::Service,
    sse,
};
use crate::engine::Tenant;

/// Reads a request's body, and has its file decoded: a recording that is about to be heard.
pub(super) async fn receive(
    service: &Service,
    tenant: &Tenant,
    headers: &HeaderMap,
    body: Arriving,
) -> Result<Recording, ApiError> {
    let seat = service.seats.take()?;
    let body = intake::recording(headers, body).await?;
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let mut request = Transcription::parse(kind.unwrap_or_default(), &body)?;
    let served = service.model(&request.model, Kind::Speech)?.clone();
    request.is_for(served.engine().api)?;
    drop(body);
    let file = std::mem::take(&mut request.file);
    let wav = decode::samples(&*served, file).await?;
    Meter::current().admit(&Wanted {
        model: &served.model().name,
        units: Units::Audio {
            milliseconds: Wav::milliseconds(wav.samples()),
        },
    })?;
    let (format, times, stream) = (request.format, request.times, request.stream);
    let boundary = hex::encode(service.random::<16>()?);
    Ok(Recording {
        listening: Listening::new(served, *tenant, request, boundary, wav),
        format,
        times,
        stream,
        seat,
    })
}

/// A recording that is about to be heard.
pub(super) struct Recording {
    listening: Listening,
    format: Format,
    times: Times,
    stream: bool,
    seat: OwnedSemaphorePermit,
}

impl Recording {
    /// Has it heard, and answers with what was said.
    pub(super) async fn transcribe(self) -> Result<Response<Body>, ApiError> {
        let mut listening = self.listening;
        if self.stream {
            let words = Words::begin(listening, self.seat).await?;
            return Ok(sse::respond(words));
        }
        while listening.next().await? {}
        let (kind, body) = render::body(listening.heard(), self.format, self.times);
        Ok(answer::whole(StatusCode::OK, kind, body))
    }
}
