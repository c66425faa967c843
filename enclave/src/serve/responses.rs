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

use serde_json::{Map, Value};

use super::error::ApiError;
pub(super) use stream::ResponsesStream;

/// A request for a response, as one for a chat completion.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Responses {
    /// The body of the chat completion.
    pub(super) chat: Value,
    /// Whether the answer is sent as events.
    pub(super) stream: bool,
    /// What every response object repeats of its request.
    echo: Map<String, Value>,
}

impl Responses {
    /// Reads a request's body.
    pub(super) fn parse(body: &Value) -> Result<Self, ApiError> {
        request::parse(body)
    }

    /// The response that a whole chat completion is. None: it is no chat completion.
    pub(super) fn answer(&self, completion: &Value) -> Option<Value> {
        output::whole(&self.echo, completion)
    }

    /// What turns chunks into events.
    pub(super) fn events(&self) -> ResponsesStream {
        ResponsesStream::new(self.echo.clone())
    }

    /// An error of the chat completion in this request's words.
    pub(super) fn renamed(error: ApiError) -> ApiError {
        request::renamed(error)
    }
}
