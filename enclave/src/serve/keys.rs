//! The keys of a request, each known by name: read, irrelevant to the answer, or a request for something that this server
//! cannot do, unless its value requests nothing. A key that is not here is refused too: OpenAI refuses it, and a key that was
//! ignored might have changed what the answer means. docs/reference/api.md has the same table for people.

use serde_json::{Map, Value};

use super::{
    error::ApiError,
    object::{Object, given},
};

/// What is done with a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Taken {
    /// It is read, and checked where it is read.
    Read,
    /// It changes nothing here, whatever it says.
    Ignored,
    /// Only this number, which requests nothing.
    Number(f64),
    /// Only zero or -1: off.
    Off,
    /// Only this.
    Flag(bool),
    /// Only an empty array, object or string.
    Empty,
    /// Only one of these words.
    Words(&'static [&'static str]),
    /// Only these words, in an array.
    ListOf(&'static str),
    /// Only with the other key saying `none`, or empty.
    NeverCalled(&'static str),
}

use Taken::{Empty, Flag, Ignored, ListOf, NeverCalled, Number, Off, Read, Words};

/// Keys of both kinds of completions.
#[rustfmt::skip]
pub(super) const COMMON: &[(&str, Taken)] = &[
    ("model", Read), ("temperature", Read), ("top_p", Read), ("top_k", Read), ("min_p", Read),
    ("frequency_penalty", Read), ("presence_penalty", Read), ("repetition_penalty", Read), ("repeat_penalty", Read),
    ("logit_bias", Read), ("seed", Read), ("n", Read), ("stop", Read), ("max_tokens", Read), ("logprobs", Read),
    ("stream", Read), ("stream_options", Read),
    // Who asks, how fast it should go, and what is kept; nothing is kept here.
    ("user", Ignored), ("safety_identifier", Ignored), ("metadata", Ignored), ("store", Ignored),
    ("service_tier", Ignored), ("prompt_cache_key", Ignored), ("prompt_cache_retention", Ignored),
    // The same for vLLM, llama-server, LM Studio and Ollama.
    ("request_id", Ignored), ("priority", Ignored), ("cache_salt", Ignored), ("cache_prompt", Ignored),
    ("id_slot", Ignored), ("slot_id", Ignored), ("ttl", Ignored), ("keep_alive", Ignored),
    // Numbers that only tune what is off.
    ("repeat_last_n", Ignored), ("penalty_last_n", Ignored), ("mirostat_tau", Ignored), ("mirostat_eta", Ignored),
    ("dynatemp_exponent", Ignored), ("xtc_threshold", Ignored), ("dry_base", Ignored), ("dry_allowed_length", Ignored),
    ("dry_penalty_last_n", Ignored), ("dry_sequence_breakers", Ignored),
    // Samplers that are off.
    ("best_of", Number(1.0)), ("length_penalty", Number(1.0)), ("typical_p", Number(1.0)), ("typ_p", Number(1.0)),
    ("tfs_z", Number(1.0)), ("top_a", Number(0.0)), ("mirostat", Number(0.0)), ("min_tokens", Number(0.0)),
    ("min_keep", Number(0.0)), ("dynatemp_range", Number(0.0)), ("xtc_probability", Number(0.0)),
    ("dry_multiplier", Number(0.0)), ("n_probs", Number(0.0)), ("top_n_sigma", Off),
    ("ignore_eos", Flag(false)), ("use_beam_search", Flag(false)), ("include_stop_str_in_output", Flag(false)),
    ("return_token_ids", Flag(false)), ("return_tokens", Flag(false)), ("return_tokens_as_token_ids", Flag(false)),
    ("return_progress", Flag(false)), ("timings_per_token", Flag(false)), ("safe_prompt", Flag(false)),
    ("skip_special_tokens", Flag(true)), ("spaces_between_special_tokens", Flag(true)),
    ("stop_token_ids", Empty), ("bad_words", Empty), ("logits_processors", Empty), ("vllm_xargs", Empty),
    ("kv_transfer_params", Empty), ("grammar", Empty),
];

/// Keys of chat completions alone.
#[rustfmt::skip]
pub(super) const CHAT: &[(&str, Taken)] = &[
    ("messages", Read), ("max_completion_tokens", Read), ("top_logprobs", Read), ("response_format", Read),
    ("tools", Read), ("tool_choice", Read), ("parallel_tool_calls", Read),
    ("prediction", Ignored), ("include_reasoning", Ignored),
    ("echo", Flag(false)), ("continue_final_message", Flag(false)), ("add_special_tokens", Flag(false)),
    ("add_generation_prompt", Flag(true)),
    ("functions", NeverCalled("function_call")), ("function_call", Words(&["none", "auto"])),
    ("documents", Empty), ("chat_template_kwargs", Empty), ("mm_processor_kwargs", Empty),
    ("modalities", ListOf("text")), ("reasoning_effort", Words(&["none", "medium"])),
    ("reasoning_format", Words(&["none", "auto"])), ("verbosity", Words(&["medium"])),
];

/// Keys of text completions alone.
#[rustfmt::skip]
pub(super) const TEXT: &[(&str, Taken)] = &[
    ("prompt", Read), ("echo", Read), ("suffix", Empty), ("add_special_tokens", Flag(true)),
];

/// Keys of `stream_options`. Padding chunks so that their sizes reveal nothing would be a promise; this server does not make
/// it.
pub(super) const STREAM: &[(&str, Taken)] = &[
    ("include_usage", Read),
    ("include_obfuscation", Flag(false)),
    ("continuous_usage_stats", Flag(false)),
];

/// Keys that change what a message means. Clients add all kinds of keys to messages; the others are ignored.
pub(super) const MESSAGE: &[(&str, Taken)] = &[
    ("function_call", Empty),
    ("audio", Empty),
    // How Mistral, DeepSeek and Moonshot have the last message continued.
    ("prefix", Flag(false)),
    ("partial", Flag(false)),
];

/// Refuses the first key that this server cannot honour, or does not know.
pub(super) fn refuse_unsupported(
    request: &Object,
    place: &str,
    tables: &[&[(&str, Taken)]],
) -> Result<(), ApiError> {
    refuse(request, place, tables, false)
}

/// The same for a message, whose unknown keys pass.
pub(super) fn refuse_unsupported_message(message: &Object, place: &str) -> Result<(), ApiError> {
    refuse(message, &format!("{place}."), &[MESSAGE], true)
}

fn refuse(
    object: &Object,
    place: &str,
    tables: &[&[(&str, Taken)]],
    unknown_pass: bool,
) -> Result<(), ApiError> {
    let known = |wanted: &str| {
        let mut all = tables.iter().copied().flatten();
        all.find(|(key, _)| *key == wanted).map(|(_, taken)| *taken)
    };
    let passes = |key: &str, value: &Value| {
        known(key).map_or(unknown_pass, |taken| taken.passes(object, value))
    };
    let mut given = object.iter().filter(|(_, value)| !value.is_null());
    match given.find(|(key, value)| !passes(key, value)) {
        Some((key, _)) => Err(ApiError::unsupported(&format!("{place}{key}"))),
        None => Ok(()),
    }
}

impl Taken {
    /// Whether the answer is the same with this value as without, or this value is read.
    fn passes(self, object: &Object, value: &Value) -> bool {
        match self {
            Read | Ignored => true,
            Number(number) => value.as_f64() == Some(number),
            Off => [Some(0.0), Some(-1.0)].contains(&value.as_f64()),
            Flag(flag) => *value == flag,
            Empty => is_empty(value),
            Words(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            ListOf(word) => {
                let list = value.as_array();
                list.is_some_and(|list| list.iter().all(|entry| entry == word))
            }
            NeverCalled(choice) => {
                is_empty(value) || given(object, choice).is_some_and(|choice| choice == "none")
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(Map::is_empty)
        || value == ""
}
