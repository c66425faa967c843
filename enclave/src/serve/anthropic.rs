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

use serde_json::Value;

use super::error::ApiError;
pub(super) use error::to_json as error_json;
pub(super) use stream::MessagesStream;

/// A request for a message, as one for a chat completion.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Messages {
    /// The body of the chat completion.
    pub(super) chat: Value,
    /// Whether the answer is sent as events.
    pub(super) stream: bool,
}

impl Messages {
    /// Reads a request's body.
    pub(super) fn parse(body: &Value) -> Result<Self, ApiError> {
        request::parse(body)
    }

    /// The message that a whole chat completion is. None: it is no chat completion.
    pub(super) fn answer(completion: &Value) -> Option<Value> {
        output::whole(completion)
    }

    /// An error of the chat completion in this request's words.
    pub(super) fn renamed(error: ApiError) -> ApiError {
        request::renamed(error)
    }
}
