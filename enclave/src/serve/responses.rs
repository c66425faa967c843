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
use serde_json::Value;

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
use request::{Responses, renamed};

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
