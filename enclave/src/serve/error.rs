//! Errors as OpenAI's clients know them: `{"error": {message, type, param, code}}`.

use std::time::Duration;

use chrysalis_ohttp as ohttp;
use chrysalis_wire::{
    api::{
        self, ATTESTATION, ATTESTATION_EPOCH, CHAT, COMPLETIONS, EMBEDDINGS, HEALTH, JOB, MESSAGES,
        MODELS, RERANK, RESPONSES, TAB, TRANSCRIPTIONS,
    },
    configuration::Kind,
};
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    engine::{Fault, Turned},
    trust::Reason,
};

/// Seconds after which a client that was refused may try again, where nothing better is known.
const RETRY_AFTER: u64 = 5;

/// The most bytes of a client's own text that an error repeats.
const MAX_QUOTED: usize = 64;

/// A request that is not answered as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) message: String,
    kind: &'static str,
    pub(super) parameter: Option<String>,
    pub(super) code: &'static str,
    retry_after: Option<u64>,
    /// What else its body says.
    details: Box<[(&'static str, Value)]>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kind: match status {
                StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
                status if status.is_server_error() => "server_error",
                _ => "invalid_request_error",
            },
            parameter: None,
            code,
            retry_after: matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            )
            .then_some(RETRY_AFTER),
            details: Box::default(),
        }
    }

    /// Says more, for programs.
    #[must_use]
    pub(super) fn saying<const N: usize>(mut self, details: [(&'static str, Value); N]) -> Self {
        self.details = Box::new(details);
        self
    }

    /// Says when to come back.
    #[must_use]
    pub(super) fn retrying_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(in_seconds(time));
        self
    }

    /// Names the parameter at fault.
    #[must_use]
    pub(super) fn about(mut self, parameter: impl Into<String>) -> Self {
        self.parameter = Some(parameter.into());
        self
    }

    /// 400: a parameter has an invalid value.
    pub(super) fn invalid(parameter: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_value", message).about(parameter)
    }

    /// 400: a parameter is missing.
    pub(super) fn missing(parameter: &str) -> Self {
        let message = format!("you must provide {parameter}");
        Self::new(
            StatusCode::BAD_REQUEST,
            "missing_required_parameter",
            message,
        )
        .about(parameter)
    }

    /// 400: a parameter would change the answer, and this server cannot do what it asks.
    pub(super) fn unsupported(parameter: &str) -> Self {
        let parameter = quoted(parameter);
        let message = format!("{parameter} is not supported by this server; leave it out");
        Self::new(StatusCode::BAD_REQUEST, "unsupported_parameter", message).about(parameter)
    }

    /// 400: the same, where it is worth saying why, or what to do instead.
    pub(super) fn unsupported_because(parameter: &str, why: &str) -> Self {
        let parameter = quoted(parameter);
        let message = format!("{parameter} is not supported: {why}");
        Self::new(StatusCode::BAD_REQUEST, "unsupported_parameter", message).about(parameter)
    }

    /// 400: the body is not a JSON object.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_json", message)
    }

    /// 400: the prompt does not fit. `parameter` is what it came in.
    pub(super) fn context_exceeded(
        parameter: &str,
        prompt_tokens: impl std::fmt::Display,
        context: u32,
    ) -> Self {
        let message = format!(
            "this model's context has {context} tokens, but {parameter} has {prompt_tokens}; shorten {parameter}"
        );
        Self::new(StatusCode::BAD_REQUEST, "context_length_exceeded", message).about(parameter)
    }

    /// 400: the model is for something else.
    pub(super) fn wrong_kind(model: &str, kind: Kind, wanted: Kind, others: &[&str]) -> Self {
        let (what, place) = match kind {
            Kind::Chat => (
                "a chat model",
                "send conversations to POST /v1/chat/completions",
            ),
            Kind::Embedding => ("an embedding model", "send texts to POST /v1/embeddings"),
            Kind::Rerank => ("a reranking model", "send documents to POST /v1/rerank"),
            Kind::Speech => (
                "a speech model",
                "send sound to POST /v1/audio/transcriptions",
            ),
        };
        let here = if others.is_empty() {
            format!("there is no {} model here", wanted.name())
        } else {
            format!("here, use {}", others.join(", "))
        };
        let message = format!("{model} is {what}: {place}; {here}");
        Self::invalid("model", message)
    }

    /// 401: credentials that are not an API key.
    pub(super) fn bad_credentials() -> Self {
        let message = "the request's credentials are not an API key; send \"Authorization: Bearer KEY\" once, or no such header";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
    }

    /// 404: another model.
    pub(super) fn model_not_found(asked: &str, served: &[&str]) -> Self {
        let served = served.join(", ");
        let message = format!(
            "there is no model {:?} here, only {served}; GET {MODELS} lists them",
            quoted(asked)
        );
        Self::new(StatusCode::NOT_FOUND, "model_not_found", message).about("model")
    }

    /// 404: no such route.
    pub(super) fn unknown_route() -> Self {
        let message = format!(
            "there is no such route; there are POST {CHAT}, POST {COMPLETIONS}, POST {RESPONSES}, POST {MESSAGES}, POST {EMBEDDINGS}, POST {RERANK}, POST {TRANSCRIPTIONS}, POST {TAB}, GET {MODELS}, GET {ATTESTATION}, GET {ATTESTATION_EPOCH} and GET {HEALTH}; a client's base address ends in /v1"
        );
        Self::new(StatusCode::NOT_FOUND, "unknown_url", message)
    }

    /// 404: no tab has this exporter, or not any more.
    pub(super) fn tab_unknown() -> Self {
        let message = "there is no tab of a connection with this exporter, or not any more: only the receipt of a cancelled answer is kept, and not for ever";
        Self::new(StatusCode::NOT_FOUND, "tab_unknown", message)
    }

    /// 405: the route needs another method.
    pub(super) fn method(allowed: &str) -> Self {
        let message = format!("this route takes {allowed}");
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        )
    }

    /// 408: the body did not arrive.
    pub(super) fn slow_body(seconds: u64) -> Self {
        let message = format!("the body did not arrive within {seconds} seconds; send it again");
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message)
    }

    /// 409: the job's number was used before.
    pub(super) fn job_repeated() -> Self {
        let message = format!(
            "a job with this {JOB} was asked for before on this tab; draw a new number for each job"
        );
        Self::new(StatusCode::CONFLICT, "job_repeated", message).about(JOB)
    }

    /// 400: a receipt is asked for through a relay.
    pub(super) fn job_through_relay() -> Self {
        let message = format!(
            "receipts are for connections of one's own; leave {JOB} out of requests that go through a relay"
        );
        Self::invalid(JOB, message)
    }

    /// 413: the body is too long.
    pub(super) fn body_too_long(limit: usize) -> Self {
        let message = format!("the body is over the limit of {limit} bytes; send less");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    }

    /// 415: the body is compressed.
    pub(super) fn encoded_body() -> Self {
        let message = "the body has a Content-Encoding; send it as plain JSON, uncompressed";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_content_encoding",
            message,
        )
    }

    /// 415: the body is in another character set.
    pub(super) fn other_charset() -> Self {
        let message = "the Content-Type names a charset other than UTF-8; send the body as UTF-8";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_charset",
            message,
        )
    }

    /// 415: not what a relay brings.
    pub(super) fn no_ohttp() -> Self {
        let message = "send Content-Type message/ohttp-req or message/ohttp-chunked-req: this path takes what a client has \
                       encapsulated (RFC 9458) with the keys of /v1/ohttp-keys";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_encapsulated",
            message,
        )
    }

    /// 400: what a relay brought is not what a client encapsulated.
    pub(super) fn ohttp(error: ohttp::Error) -> Self {
        let code = match error {
            ohttp::Error::Truncated => "encapsulation_truncated",
            ohttp::Error::FinalChunkMissing => "final_chunk_missing",
            ohttp::Error::ChunkTooLong => "chunk_too_long",
            ohttp::Error::Inside(_) => "encapsulation_malformed",
            _ => "encapsulation_altered",
        };
        let message = format!(
            "{error}; encapsulate the request again, and ask the relay to pass it on as it is"
        );
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400: the request came before.
    pub(super) fn replayed() -> Self {
        let message = "this request came before, and is answered once; encapsulate it again";
        Self::new(StatusCode::BAD_REQUEST, "request_replayed", message)
    }

    /// 503: no more requests through relays in this epoch.
    pub(super) fn relays_full() -> Self {
        let message = "too many requests came through relays in this epoch; ask again in the next";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "relays_full", message)
    }

    /// 421: what is encapsulated is for somebody else.
    pub(super) fn other_host() -> Self {
        let message = "the encapsulated request is for another host; name the enclave's own, with the scheme https";
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "misdirected_request",
            message,
        )
    }

    /// 431: the line and headers are too long.
    pub(super) fn head_too_long() -> Self {
        let message = format!(
            "the request's line and headers are over the limit of {} bytes or {} headers; send fewer or shorter ones",
            api::MAX_HEAD,
            api::MAX_HEADERS
        );
        Self::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "head_too_large",
            message,
        )
    }

    /// 429: the queue is full; or 503: there is no engine.
    pub(super) fn turned(turned: Turned) -> Self {
        let retry_after = match turned {
            Turned::Busy { retry_after } => retry_after,
            Turned::NoEngine => return Self::no_engine(),
            Turned::Withdrawn => return Self::model_withdrawn(),
            Turned::TrustEnded(reason) => return Self::trust_ended(reason),
        };
        let seconds = in_seconds(retry_after);
        let message = format!("the queue is full; try again in {seconds} seconds");
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limit_exceeded",
                message,
            )
        }
    }

    /// 429: this connection, or all connections together, ask for evidence too often.
    pub(super) fn evidence_busy() -> Self {
        let message = format!(
            "too many requests for evidence are waiting, or came on this connection; try again in {RETRY_AFTER} seconds"
        );
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            api::ATTESTATION_BUSY,
            message,
        )
    }

    /// What became of an answer that was not completed.
    pub(super) fn fault(fault: Fault) -> Self {
        match fault {
            Fault::Ended | Fault::Malformed | Fault::TooSlow => Self::engine_failed(),
            Fault::TooLong => Self::answer_too_long(),
            Fault::NoEngine => Self::no_engine(),
            Fault::Withdrawn => Self::model_withdrawn(),
            Fault::TrustEnded(reason) => Self::trust_ended(reason),
            Fault::NotRead => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "answer_not_read",
                "the answer is incomplete: it was read more slowly than it was generated, and the rest was not kept; read it as it comes",
            ),
            Fault::Waited => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "queue_timeout",
                "the request waited too long for its turn; ask again later",
            ),
        }
    }

    /// 502: the engine ended, or answered wrongly.
    pub(super) fn engine_failed() -> Self {
        let message =
            "the answer is incomplete: the engine failed, and is being replaced; ask again";
        Self::new(StatusCode::BAD_GATEWAY, "engine_failed", message)
    }

    /// 502: the engine sent more than it may.
    pub(super) fn answer_too_long() -> Self {
        let message = "the answer is incomplete: the engine sent more than an answer may contain, and is being replaced; ask again, and tell the provider if this repeats";
        Self::new(StatusCode::BAD_GATEWAY, "answer_too_long", message)
    }

    /// 502: the answer is not in the form that the request wants, which the engine could not be held to.
    pub(super) fn answer_not_valid(parameter: &str, why: &str) -> Self {
        let message = format!(
            "the model's answer does not follow {parameter}: {why}; ask again, or use a simpler schema"
        );
        Self::new(StatusCode::BAD_GATEWAY, "answer_not_valid", message).about(parameter)
    }

    /// 500: a fault of this server's own.
    pub(super) fn broken() -> Self {
        let message = "the answer is incomplete: this server failed; ask again";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "incomplete_answer",
            message,
        )
    }

    /// 503: there is no engine at the moment.
    pub(super) fn no_engine() -> Self {
        let message = "the engine is being restarted; ask again in a minute";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "engine_unavailable",
            message,
        )
    }

    /// 503: the model's owner took back its key.
    fn model_withdrawn() -> Self {
        let message = "the model was taken out of service by its owner; ask another enclave, or for another model";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "model_withdrawn", message)
    }

    /// 503: the provider takes the machine out of service.
    pub(super) fn draining() -> Self {
        let message = "this enclave finishes what it does and takes no new work: its provider takes it out of service; ask another enclave";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, api::DRAINING, message)
    }

    /// 503: there is no room for another tab.
    pub(super) fn tabs_full() -> Self {
        let message = format!(
            "there is no room for another tab; ask again later, over a new connection or without {JOB}"
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "tabs_full", message)
    }

    /// 503: the enclave could not prove again what it is, and ends.
    pub(super) fn trust_ended(reason: Reason) -> Self {
        let message = format!(
            "the answer is incomplete: this enclave could not prove again what it is ({reason}), has destroyed its keys and ends; verify one anew before you ask again"
        );
        Self {
            // Nothing will answer here again under this key.
            retry_after: None,
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, api::TRUST_ENDED, message)
        }
    }

    /// 503: there is no evidence at the moment.
    pub(super) fn no_evidence(code: &'static str) -> Self {
        let message = "this machine's security processor gave no report; ask again, and tell the provider if this repeats";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }

    /// Seconds after which to try again, if that is worth saying.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// The body.
    pub(super) fn to_json(&self) -> Value {
        let mut error = json!({
            "message": self.message,
            "type": self.kind,
            "param": self.parameter,
            "code": self.code,
        });
        self.detail(&mut error);
        json!({ "error": error })
    }

    /// Adds what else it says to an error of any shape.
    pub(super) fn detail(&self, error: &mut Value) {
        for (key, value) in &self.details {
            error[*key] = value.clone();
        }
    }
}

/// At least one.
fn in_seconds(time: Duration) -> u64 {
    let rest = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(rest).max(1)
}

/// The start of a client's own text: enough to find it by, never a whole prompt sent back.
pub(super) fn quoted(word: &str) -> &str {
    word.get(..word.floor_char_boundary(MAX_QUOTED))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_of_another_kind_is_named_with_its_place_and_the_right_ones() {
        let error = ApiError::wrong_kind("mini", Kind::Embedding, Kind::Chat, &["tiny", "big"]);
        assert_eq!(
            error.message,
            "mini is an embedding model: send texts to POST /v1/embeddings; here, use tiny, big"
        );
        assert_eq!(
            (error.status.as_u16(), error.parameter.as_deref()),
            (400, Some("model"))
        );
        let error = ApiError::wrong_kind("tiny", Kind::Chat, Kind::Speech, &[]);
        assert!(error.message.ends_with("there is no speech model here"));
    }

    #[test]
    fn a_busy_queue_says_when_to_come_back() {
        for (time, seconds) in [(0, 1), (1500, 2), (2000, 2)] {
            let retry_after = Duration::from_millis(time);
            let error = ApiError::turned(Turned::Busy { retry_after });
            assert_eq!(
                (error.status.as_u16(), error.retry_after()),
                (429, Some(seconds))
            );
        }
        assert_eq!(ApiError::turned(Turned::NoEngine).status.as_u16(), 503);
    }
}
