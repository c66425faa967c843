//! JSON schemas that answers follow: the engine is given them as a grammar, and every answer is validated here as well.
//!
//! A schema is a client's, and so hostile: it is bounded before it is compiled ([`bounds`], [`references`]), its patterns run in
//! linear time, it refers to nothing outside itself, and it is refused if it is cheap to see that nothing satisfies it
//! ([`inhabited`]).

mod bounds;
mod inhabited;
mod keywords;
mod moved;
mod pattern;
mod references;

use std::{fmt, sync::Arc};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::error::{ApiError, quoted};
use references::References;

/// The most bytes of a schema as text.
const MAX_BYTES: usize = 64 * 1024;
/// The most memory for one compiled pattern.
const MAX_PATTERN_MEMORY: usize = 1024 * 1024;

/// A schema, compiled.
#[derive(Clone)]
pub(super) struct Schema {
    value: Arc<Value>,
    validator: Arc<Validator>,
    bytes: usize,
    deepest: usize,
}

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value, formatter)
    }
}

impl Schema {
    /// Checks and compiles a schema. `place` is the parameter that it came in.
    pub(super) fn compile(place: &str, schema: &Value) -> Result<Self, ApiError> {
        let wrong = |why: String| ApiError::invalid(place, format!("{place} {why}"));
        let bytes = schema.to_string().len();
        if bytes > MAX_BYTES {
            return Err(wrong(format!(
                "has {bytes} bytes; the limit is {MAX_BYTES}: send a smaller schema"
            )));
        }
        bounds::check(schema).map_err(wrong)?;
        let references = References::of(schema).map_err(wrong)?;
        inhabited::check(schema, &references).map_err(wrong)?;
        let patterns = PatternOptions::regex()
            .size_limit(MAX_PATTERN_MEMORY)
            .dfa_size_limit(MAX_PATTERN_MEMORY);
        let validator = jsonschema::options()
            .offline()
            .with_pattern_options(patterns)
            .build(schema)
            .map_err(|error| {
                let error = error.to_string();
                wrong(format!("is not a valid JSON schema: {}", short(&error)))
            })?;
        Ok(Self {
            value: Arc::new(schema.clone()),
            validator: Arc::new(validator),
            bytes,
            deepest: references.deepest(),
        })
    }

    /// Bytes of the schema as text.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The schema as it came.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// The schema to be put at `base` (a JSON pointer such as `#/$defs/f0`) of another one, for an engine to make a grammar of.
    pub(super) fn moved(&self, base: &str) -> Value {
        moved::moved(&self.value, base)
    }

    /// Whether a text is JSON that follows the schema; else why not, in words without the text itself.
    pub(super) fn accept(&self, answer: &str) -> Result<(), String> {
        let Ok(answer) = serde_json::from_str::<Value>(answer) else {
            return Err("it is not JSON".to_owned());
        };
        if depth(&answer) > self.deepest {
            return Err(format!(
                "it is nested deeper than {} levels, which is as far as a schema like this is checked",
                self.deepest
            ));
        }
        match self.validator.iter_errors(&answer).next() {
            None => Ok(()),
            Some(error) => {
                let keyword = error.schema_path().to_string();
                Err(format!("it does not satisfy {}", short(&keyword)))
            }
        }
    }
}

/// The start of a text that may quote the client at length.
fn short(text: &str) -> String {
    let start = quoted(text);
    if start.len() < text.len() {
        format!("{start}…")
    } else {
        start.to_owned()
    }
}

fn depth(value: &Value) -> usize {
    let inside = match value {
        Value::Array(list) => list.iter().map(depth).max(),
        Value::Object(table) => table.values().map(depth).max(),
        _ => return 0,
    };
    inside.unwrap_or_default().saturating_add(1)
}

#[cfg(test)]
mod tests;
