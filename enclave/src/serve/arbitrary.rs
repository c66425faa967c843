//! Any JSON at all, made of the words that this API has: for tests.

use proptest::prelude::*;
use serde_json::{Number, Value};

const WORDS: &[&str] = &[
    "arguments",
    "auto",
    "avg_logprob",
    "call_id",
    "choices",
    "content",
    "data",
    "delta",
    "description",
    "document",
    "documents",
    "embedding",
    "end",
    "error",
    "finish_reason",
    "format",
    "function",
    "function_call",
    "function_call_output",
    "id",
    "index",
    "input",
    "input_schema",
    "input_text",
    "instructions",
    "json_schema",
    "language",
    "length",
    "max_output_tokens",
    "max_tokens",
    "message",
    "messages",
    "model",
    "name",
    "output",
    "output_text",
    "parameters",
    "query",
    "relevance_score",
    "required",
    "results",
    "role",
    "schema",
    "segments",
    "start",
    "stop",
    "strict",
    "system",
    "text",
    "tool",
    "tool_calls",
    "tool_choice",
    "tool_result",
    "tool_use",
    "tool_use_id",
    "tools",
    "total_tokens",
    "type",
    "usage",
    "user",
    "assistant",
];

/// A word of the API, or any text.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(WORDS).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

/// Any JSON.
pub(super) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        (0_u64..4).prop_map(Value::from),
        any::<f64>().prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
        word().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::hash_map(word(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
