//! The keys of a chat completion, each known by name: read, irrelevant to the answer, or a request for something that this
//! server cannot do, unless its value requests nothing. A key that is not here is refused too: OpenAI refuses it, and a key
//! that was ignored might have changed what the answer means.

use serde_json::{Map, Value};

use super::object::{Object, given};
use crate::serve::error::ApiError;

/// Refuses the first key that this server cannot honour.
pub(super) fn refuse_unsupported(request: &Object) -> Result<(), ApiError> {
    refuse(request, "", |key, value| {
        wishes_nothing(key, value) || is_a_tool_never_called(request, key)
    })
}

/// The same for `stream_options`.
pub(super) fn refuse_unsupported_stream(options: &Object) -> Result<(), ApiError> {
    refuse(options, "stream_options.", |key, value| match key {
        "include_usage" => true,
        // Padding chunks so that their sizes reveal nothing would be a promise; this server does not make it.
        "include_obfuscation" | "continuous_usage_stats" => value == false,
        _ => false,
    })
}

/// The same for a message's keys that change its meaning. Clients add all kinds of keys to messages; the others are ignored.
pub(super) fn refuse_unsupported_message(message: &Object, place: &str) -> Result<(), ApiError> {
    refuse(message, &format!("{place}."), |key, value| match key {
        "tool_calls" => is_empty(value),
        "function_call" | "audio" => false,
        // How Mistral, DeepSeek and Moonshot have the last message continued.
        "prefix" | "partial" => value == false,
        _ => true,
    })
}

fn refuse(
    object: &Object,
    place: &str,
    passes: impl Fn(&str, &Value) -> bool,
) -> Result<(), ApiError> {
    let mut given = object.iter().filter(|(_, value)| !value.is_null());
    match given.find(|(key, value)| !passes(key, value)) {
        Some((key, _)) => Err(ApiError::unsupported(&format!("{place}{key}"))),
        None => Ok(()),
    }
}

/// Whether the answer is the same with this key and value as without.
#[allow(clippy::match_same_arms, reason = "keys are grouped by purpose")]
fn wishes_nothing(key: &str, value: &Value) -> bool {
    match key {
        // Read elsewhere.
        "model"
        | "messages"
        | "temperature"
        | "top_p"
        | "max_tokens"
        | "max_completion_tokens"
        | "stop"
        | "seed"
        | "stream"
        | "stream_options" => true,

        // Who asks, how fast it should go, and what is kept; nothing is kept here.
        "user"
        | "safety_identifier"
        | "metadata"
        | "store"
        | "service_tier"
        | "prediction"
        | "prompt_cache_key"
        | "prompt_cache_retention"
        | "parallel_tool_calls" => true,
        // The same for vLLM, llama-server, LM Studio and Ollama.
        "request_id" | "priority" | "cache_salt" | "cache_prompt" | "id_slot" | "slot_id"
        | "ttl" | "keep_alive" | "include_reasoning" => true,
        // Numbers that only tune what is off.
        "repeat_last_n"
        | "penalty_last_n"
        | "mirostat_tau"
        | "mirostat_eta"
        | "dynatemp_exponent"
        | "xtc_threshold"
        | "dry_base"
        | "dry_allowed_length"
        | "dry_penalty_last_n"
        | "dry_sequence_breakers" => true,

        // Samplers: off at one, at zero, or below.
        "n" | "best_of" | "repetition_penalty" | "repeat_penalty" | "length_penalty"
        | "typical_p" | "typ_p" | "tfs_z" => is(value, 1.0),
        "frequency_penalty" | "presence_penalty" | "min_p" | "top_a" | "mirostat"
        | "min_tokens" | "min_keep" | "dynatemp_range" | "xtc_probability" | "dry_multiplier"
        | "n_probs" | "top_logprobs" => is(value, 0.0),
        "top_k" | "top_n_sigma" => is(value, 0.0) || is(value, -1.0),

        // What is on or off.
        "logprobs"
        | "echo"
        | "ignore_eos"
        | "use_beam_search"
        | "continue_final_message"
        | "add_special_tokens"
        | "include_stop_str_in_output"
        | "return_token_ids"
        | "return_tokens"
        | "return_tokens_as_token_ids"
        | "return_progress"
        | "timings_per_token"
        | "safe_prompt" => value == false,
        "add_generation_prompt" | "skip_special_tokens" | "spaces_between_special_tokens" => {
            value == true
        }

        // Lists and tables.
        "tools"
        | "functions"
        | "logit_bias"
        | "stop_token_ids"
        | "bad_words"
        | "logits_processors"
        | "documents"
        | "chat_template_kwargs"
        | "mm_processor_kwargs"
        | "vllm_xargs"
        | "kv_transfer_params" => is_empty(value),
        "modalities" => value
            .as_array()
            .is_some_and(|kinds| kinds.iter().all(|kind| kind == "text")),

        // Words.
        "tool_choice" | "function_call" => matches!(value.as_str(), Some("none" | "auto")),
        "response_format" => value.get("type").is_some_and(|kind| kind == "text"),
        "reasoning_effort" => matches!(value.as_str(), Some("none" | "medium")),
        "reasoning_format" => matches!(value.as_str(), Some("none" | "auto")),
        "verbosity" => value == "medium",
        "grammar" => value == "",

        _ => false,
    }
}

/// Tools that may not be called change nothing.
fn is_a_tool_never_called(request: &Object, key: &str) -> bool {
    let choice = match key {
        "tools" => "tool_choice",
        "functions" => "function_call",
        _ => return false,
    };
    given(request, choice).is_some_and(|choice| choice == "none")
}

fn is(value: &Value, number: f64) -> bool {
    value.as_f64() == Some(number)
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}
