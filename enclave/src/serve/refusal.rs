//! What it means that an engine refuses a request that was checked here. Its own words stay inside: they may quote the prompt,
//! and the client knows that already.

use serde_json::Value;

use super::error::ApiError;

/// What a request has in it that an engine may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The parameter with the prompt.
    pub(super) prompt: &'static str,
    /// The parameter with a schema, if there is one.
    pub(super) schema: Option<&'static str>,
    /// Whether tokens are named by number.
    pub(super) names_tokens: bool,
}

impl Refusal {
    /// Explains an answer outside of 200 to 299 to the client. `context` is the model's, in tokens.
    pub(super) fn explain(self, status: u16, body: &Value, context: u32) -> ApiError {
        if let Some(tokens) = tokens_of_a_long_prompt(body) {
            return ApiError::context_exceeded(self.prompt, tokens, context);
        }
        if is_about_length(body) {
            return ApiError::context_exceeded(self.prompt, "more", context);
        }
        match status {
            400 | 422 => self.invalid(),
            503 => ApiError::no_engine(),
            _ => ApiError::engine_failed(),
        }
    }

    fn invalid(self) -> ApiError {
        if let Some(schema) = self.schema {
            let message = format!(
                "the model's engine can make no grammar of {schema}; use only type, properties, required, items, enum, const, anyOf and $ref, and simple patterns"
            );
            return ApiError::invalid(schema, message);
        }
        if self.names_tokens {
            let message = "logit_bias names a token that the model does not have; take its number from the model's own tokenizer";
            return ApiError::invalid("logit_bias", message);
        }
        let message = match self.prompt {
            "messages" => {
                "the model's chat template does not take these messages in this order; let user and assistant take turns, after at most one system message"
            }
            _ => "the model's engine does not take this text; send another",
        };
        ApiError::invalid(self.prompt, message)
    }
}

/// llama-server counts.
fn tokens_of_a_long_prompt(body: &Value) -> Option<u64> {
    let error = body.get("error")?;
    let kind = error.get("type")?.as_str()?;
    (kind == "exceed_context_size_error").then_some(())?;
    error.get("n_prompt_tokens")?.as_u64()
}

/// vLLM explains.
fn is_about_length(body: &Value) -> bool {
    let message = body.get("error").and_then(|error| error.get("message"));
    let message = message.or_else(|| body.get("message"));
    let message = message.and_then(Value::as_str).unwrap_or_default();
    message.contains("maximum context length") || message.contains("maximum model length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PLAIN: Refusal = Refusal {
        prompt: "messages",
        schema: None,
        names_tokens: false,
    };

    #[test]
    fn each_refusal_names_what_to_change() {
        let long = json!({"error": {"type": "exceed_context_size_error", "n_prompt_tokens": 100, "n_ctx": 64, "message": "secret"}});
        let vllm = json!({"error": {"message": "This model's maximum context length is 64 tokens. However, secret"}});
        let other = json!({"error": {"message": "secret", "type": "invalid_request_error"}});
        let schema = Refusal {
            schema: Some("response_format.json_schema.schema"),
            ..PLAIN
        };
        let tokens = Refusal {
            names_tokens: true,
            ..PLAIN
        };
        let text = Refusal {
            prompt: "prompt",
            ..PLAIN
        };
        for (refusal, status, body, wanted) in [
            (
                PLAIN,
                400,
                &long,
                (400, "context_length_exceeded", "messages"),
            ),
            (text, 400, &vllm, (400, "context_length_exceeded", "prompt")),
            (PLAIN, 400, &other, (400, "invalid_value", "messages")),
            (text, 422, &other, (400, "invalid_value", "prompt")),
            (tokens, 400, &other, (400, "invalid_value", "logit_bias")),
            (
                schema,
                400,
                &other,
                (400, "invalid_value", "response_format.json_schema.schema"),
            ),
            (PLAIN, 503, &other, (503, "engine_unavailable", "")),
            (PLAIN, 500, &Value::Null, (502, "engine_failed", "")),
        ] {
            let error = refusal.explain(status, body, 64);
            let found = (
                error.status.as_u16(),
                error.code,
                error.parameter.as_deref().unwrap_or_default(),
            );
            assert_eq!(found, wanted);
            assert!(!error.message.contains("secret"), "{}", error.message);
        }
    }
}
