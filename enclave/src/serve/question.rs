//! What an engine is asked, in its own dialect: always to stream, with every number given, so that nothing is left to an engine's
//! defaults.

use std::sync::Arc;

use ring::hmac;
use serde_json::{Value, json};

use super::{part::Endpoint, render::Turn, sampling::Sampling};
use crate::engine::{Api, Call, CallBody, Tenant};

/// Bytes of text that an answer may have for each token, and at all.
const MAX_TOKEN_TEXT: usize = 1024;
const MAX_TEXT: usize = 16 * 1024 * 1024;
/// Tokens that a template adds to a message, at most.
const TEMPLATE: usize = 32;

/// What to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    Turns(Vec<Turn>),
    Text(String),
}

/// A question to an engine.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) input: Arc<Input>,
    pub(super) sampling: Sampling,
    /// Alternatives to say for each token, if its likelihood is wanted.
    pub(super) logprobs: Option<u32>,
    /// What the text must follow.
    pub(super) schema: Option<Value>,
}

/// A call, and whether the engine itself knows how many tokens it may make.
pub(super) struct Prepared {
    pub(super) call: Call,
    pub(super) knows_its_end: bool,
}

/// Names a tenant to an engine that keeps what it has read, so that it shares nothing between tenants. An engine learns no more
/// of a tenant than that.
pub(super) fn salt(key: &hmac::Key, tenant: &Tenant) -> String {
    hex::encode(hmac::sign(key, &tenant.0))
}

impl Question {
    /// Which of an engine's endpoints answers.
    pub(super) fn endpoint(&self) -> Endpoint {
        match *self.input {
            Input::Turns(_) => Endpoint::Chat,
            Input::Text(_) => Endpoint::Text,
        }
    }

    /// The call that asks it.
    pub(super) fn prepare(&self, api: Api, model: &str, context: u32, salt: &str) -> Prepared {
        let mut body = self.common(model);
        let fits = self.surely_fits(context);
        match api {
            Api::Vllm => {
                if fits {
                    body["max_tokens"] = json!(self.sampling.max_tokens);
                }
                self.for_vllm(&mut body, salt);
            }
            Api::LlamaCpp | Api::WhisperCpp => {
                body["max_tokens"] = json!(self.sampling.max_tokens);
                self.for_llama_cpp(&mut body, context);
            }
        }
        let most = self.sampling.max_tokens as usize;
        Prepared {
            knows_its_end: fits || api != Api::Vllm,
            call: Call {
                path: match self.endpoint() {
                    Endpoint::Chat => "/v1/chat/completions",
                    Endpoint::Text => "/v1/completions",
                },
                body: CallBody::Json(body),
                most_text: most.saturating_mul(MAX_TOKEN_TEXT).min(MAX_TEXT),
            },
        }
    }

    fn common(&self, model: &str) -> Value {
        let sampling = &self.sampling;
        let mut body = json!({
            "model": model,
            "stream": true,
            "n": 1,
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "frequency_penalty": sampling.frequency_penalty,
            "presence_penalty": sampling.presence_penalty,
            "seed": sampling.seed,
            // They are watched for here, so that it is known which one came; and one event later the engine's work has ended.
            "stop": [],
        });
        match &*self.input {
            Input::Turns(turns) => {
                let turns = turns
                    .iter()
                    .map(|turn| json!({"role": turn.role, "content": turn.content}));
                body["messages"] = turns.collect();
                if let Some(alternatives) = self.logprobs {
                    body["logprobs"] = json!(true);
                    // For none, llama-server says nothing of the token itself.
                    body["top_logprobs"] = json!(alternatives.max(1));
                }
            }
            Input::Text(text) => {
                body["prompt"] = json!(text);
                if let Some(alternatives) = self.logprobs {
                    body["logprobs"] = json!(alternatives.max(1));
                }
            }
        }
        if let Some(schema) = &self.schema {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": true, "schema": schema},
            });
        }
        body
    }

    fn for_llama_cpp(&self, body: &mut Value, context: u32) {
        let sampling = &self.sampling;
        let bias: Vec<Value> = sampling
            .logit_bias
            .iter()
            .map(|(token, bias)| json!([token, bias]))
            .collect();
        let more = json!({
            "stream_options": {"include_usage": true},
            // Counts with every event, so that an answer that is cut here is counted as well.
            "timings_per_token": true,
            "top_p": sampling.top_p,
            "repeat_penalty": sampling.repetition_penalty,
            // All of it: OpenAI knows no window.
            "repeat_last_n": context,
            "logit_bias": bias,
            // What one tenant's prompt left behind must not make another's faster.
            "cache_prompt": false,
            "samplers": ["penalties", "top_k", "top_p", "min_p", "temperature"],
            "dry_multiplier": 0,
            "xtc_probability": 0,
            "dynatemp_range": 0,
            "mirostat": 0,
            "typical_p": 1,
            "top_n_sigma": -1.0,
            "min_keep": 0,
            "ignore_eos": false,
            "reasoning_format": "none",
            "return_tokens": false,
            "return_progress": false,
        });
        extend(body, more);
    }

    fn for_vllm(&self, body: &mut Value, salt: &str) {
        let sampling = &self.sampling;
        let bias = sampling.logit_bias.iter();
        let bias: serde_json::Map<String, Value> = bias
            .map(|(token, bias)| (token.to_string(), json!(bias)))
            .collect();
        let more = json!({
            "stream_options": {"include_usage": true, "continuous_usage_stats": true},
            // vLLM does not take 0: the least that keeps one token.
            "top_p": sampling.top_p.max(1e-9),
            "repetition_penalty": sampling.repetition_penalty,
            "logit_bias": bias,
            "cache_salt": salt,
            "min_tokens": 0,
            "ignore_eos": false,
            "skip_special_tokens": true,
            "spaces_between_special_tokens": true,
            "include_stop_str_in_output": false,
        });
        extend(body, more);
        if self.endpoint() == Endpoint::Chat {
            extend(
                body,
                json!({"add_generation_prompt": true, "continue_final_message": false, "echo": false}),
            );
        }
    }

    /// Whether prompt and answer fit in the context whatever the tokenizer: a token has at least a byte. vLLM refuses a request
    /// that might not fit; it is then left to make as many as fit, and its answer is cut here.
    fn surely_fits(&self, context: u32) -> bool {
        let prompt = match &*self.input {
            Input::Text(text) => text.len().saturating_add(TEMPLATE),
            Input::Turns(turns) => turns
                .iter()
                .map(|turn| turn.content.len().saturating_add(TEMPLATE))
                .fold(TEMPLATE, usize::saturating_add),
        };
        prompt.saturating_add(self.sampling.max_tokens as usize) <= context as usize
    }
}

fn extend(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fake;

    fn question(input: Input) -> Question {
        let configuration = fake::measured().configuration;
        let request =
            json!({"logit_bias": {"5": 1}, "stop": "x", "seed": 7, "top_p": 0, "max_tokens": 8});
        let model = &configuration.models[0];
        let request = request.as_object().unwrap();
        Question {
            input: Arc::new(input),
            sampling: Sampling::parse(request, model, &configuration.serving, 1).unwrap(),
            logprobs: Some(0),
            schema: Some(json!({"type": "object"})),
        }
    }

    fn prepared(api: Api, input: Input, context: u32) -> (Value, &'static str, bool) {
        let prepared = question(input).prepare(api, "tiny", context, "salt");
        let CallBody::Json(body) = prepared.call.body else {
            panic!("not JSON");
        };
        assert_eq!(prepared.call.most_text, 8 * MAX_TOKEN_TEXT);
        (body, prepared.call.path, prepared.knows_its_end)
    }

    fn turns() -> Input {
        Input::Turns(vec![Turn {
            role: "user",
            content: "hi".into(),
        }])
    }

    #[test]
    fn llama_server_is_told_everything() {
        let (body, path, knows) = prepared(Api::LlamaCpp, turns(), 10);
        assert_eq!((path, knows), ("/v1/chat/completions", true));
        for (key, value) in [
            ("model", json!("tiny")),
            ("messages", json!([{"role": "user", "content": "hi"}])),
            ("stream", json!(true)),
            ("stream_options", json!({"include_usage": true})),
            ("cache_prompt", json!(false)),
            ("max_tokens", json!(8)),
            ("temperature", json!(1.0)),
            ("top_p", json!(0.0)),
            ("top_k", json!(0)),
            ("repeat_penalty", json!(1.0)),
            ("logit_bias", json!([[5, 1.0]])),
            ("seed", json!(7)),
            ("stop", json!([])),
            ("logprobs", json!(true)),
            ("top_logprobs", json!(1)),
            ("reasoning_format", json!("none")),
        ] {
            assert_eq!(body[key], value, "{key}");
        }
        assert_eq!(
            body["response_format"]["json_schema"]["schema"],
            json!({"type": "object"})
        );
        assert_eq!(body.get("cache_salt"), None);
    }

    #[test]
    fn vllm_is_told_everything_and_who_asks() {
        let (body, path, knows) = prepared(Api::Vllm, Input::Text("Once".into()), 100);
        assert_eq!((path, knows), ("/v1/completions", true));
        for (key, value) in [
            ("prompt", json!("Once")),
            (
                "stream_options",
                json!({"include_usage": true, "continuous_usage_stats": true}),
            ),
            ("cache_salt", json!("salt")),
            ("max_tokens", json!(8)),
            ("top_p", json!(1e-9)),
            ("repetition_penalty", json!(1.0)),
            ("logit_bias", json!({"5": 1.0})),
            ("logprobs", json!(1)),
        ] {
            assert_eq!(body[key], value, "{key}");
        }
        // It would refuse what might not fit.
        let (body, _, knows) = prepared(Api::Vllm, turns(), 40);
        assert_eq!((body.get("max_tokens"), knows), (None, false));
    }

    #[test]
    fn a_salt_tells_tenants_apart_and_nothing_else() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let one = salt(&key, &Tenant([1; 32]));
        assert_eq!(one, salt(&key, &Tenant([1; 32])));
        assert_ne!(one, salt(&key, &Tenant([2; 32])));
        assert_ne!(one, hex::encode([1; 32]));
    }
}
