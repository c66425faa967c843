//! Errors as Anthropic's clients know them: `{"type": "error", "error": {type, message}}`.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::serve::error::ApiError;

/// The body of an error. What OpenAI's errors have besides, `param` and `code`, stays: no client minds more keys.
pub(in crate::serve) fn to_json(error: &ApiError) -> Value {
    let mut body = json!({
        "type": kind(error.status),
        "message": error.message,
        "param": error.parameter,
        "code": error.code,
    });
    error.detail(&mut body);
    json!({"type": "error", "error": body})
}

fn kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::PAYMENT_REQUIRED => "billing_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => "timeout_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        status if status.is_server_error() => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_anthropics_word() {
        for (error, word) in [
            (ApiError::missing("max_tokens"), "invalid_request_error"),
            (ApiError::payment_required(None), "billing_error"),
            (ApiError::unknown_route(), "not_found_error"),
            (ApiError::slow_body(1), "timeout_error"),
            (ApiError::body_too_long(1), "request_too_large"),
            (ApiError::evidence_busy(), "rate_limit_error"),
            (ApiError::no_engine(), "overloaded_error"),
            (ApiError::broken(), "api_error"),
        ] {
            let body = to_json(&error);
            assert_eq!(body["type"], "error");
            assert_eq!(body["error"]["type"], word);
            assert_eq!(body["error"]["message"], error.message);
        }
        assert_eq!(kind(StatusCode::UNAUTHORIZED), "authentication_error");
        assert_eq!(kind(StatusCode::FORBIDDEN), "permission_error");
    }
}
