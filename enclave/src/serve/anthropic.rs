//! `POST /v1/messages`, Anthropic's API, translated: the request becomes one for a chat completion, and its answer becomes
//! a message. Errors on this path have Anthropic's shape.

mod content;
mod error;
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
pub(super) use error::to_json as error_json;
use stream::MessagesStream;

/// Answers a request, the JSON of its body.
pub(super) async fn respond(
    service: &Service,
    tenant: &Tenant,
    body: Value,
) -> Result<Response<Body>, ApiError> {
    let chat_body = request::parse(&body)?;
    drop(body);
    let said = chat(service, tenant, chat_body)
        .await
        .map_err(request::renamed)?;
    match said {
        Answer::Whole(completion) => {
            let message = output::whole(&completion).ok_or_else(ApiError::broken)?;
            Ok(answer::json(StatusCode::OK, &message))
        }
        Answer::Stream(chunks) => Ok(sse::respond(Translated::new(
            chunks,
            MessagesStream::default(),
        ))),
    }
}
