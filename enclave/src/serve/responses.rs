//! `POST /v1/responses`, translated: the request becomes one for a chat completion, and its answer becomes a response.
//!
//! Nothing is kept between requests: `store` is answered with false, and what refers to something stored is refused.
//! Nothing here decides what a model is asked or may answer: the chat completion does, for both APIs alike.

mod input;
mod output;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod tools;

use hyper::{Response, StatusCode};
use serde_json::{Map, Value};

use super::{
    answer::{self, Body},
    chat::chat,
    chunks::Answer,
    error::ApiError,
    service::Service,
    sse,
    translated::Translated,
};
use crate::engine::Tenant;
use request::renamed;
use stream::ResponsesStream;

/// Answers a request, the JSON of its body.
pub(super) async fn respond(
    service: &Service,
    tenant: &Tenant,
    body: Value,
) -> Result<Response<Body>, ApiError> {
    let mut request = Responses::parse(&body)?;
    drop(body);
    let chat_body = std::mem::take(&mut request.chat);
    let said = chat(service, tenant, chat_body).await.map_err(renamed)?;
    match said {
        Answer::Whole(completion) => {
            let response = request.answer(&completion).ok_or_else(ApiError::broken)?;
            Ok(answer::json(StatusCode::OK, &response))
        }
        Answer::Stream(chunks) => Ok(sse::respond(Translated::new(chunks, request.events()))),
    }
}

/// A request for a response, as one for a chat completion.
#[derive(Debug, Clone, PartialEq)]
struct Responses {
    /// The body of the chat completion.
    chat: Value,
    /// What every response object repeats of its request.
    echo: Map<String, Value>,
}

impl Responses {
    /// Reads a request's body.
    fn parse(body: &Value) -> Result<Self, ApiError> {
        request::parse(body)
    }

    /// The response that a whole chat completion is. None: it is no chat completion.
    fn answer(&self, completion: &Value) -> Option<Value> {
        output::whole(&self.echo, completion)
    }

    /// What turns chunks into events.
    fn events(&self) -> ResponsesStream {
        ResponsesStream::new(self.echo.clone())
    }
}
