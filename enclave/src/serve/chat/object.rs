//! A JSON object of a request.

use serde_json::{Map, Value};

pub(super) type Object = Map<String, Value>;

/// A key that is null counts as absent: OpenAI's clients send both.
pub(super) fn given<'a>(request: &'a Object, key: &str) -> Option<&'a Value> {
    request.get(key).filter(|value| !value.is_null())
}
