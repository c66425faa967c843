//! A schema as an engine gets it: at a place in a larger one, without what only people read, and without upper limits so
//! large that a grammar would be nothing but them. The answer is held to the limits all the same, here.

use serde_json::{Map, Value};

use super::{
    keywords::{Holds, holds},
    pattern::plain,
};

/// The largest upper limit in a grammar.
const MAX_MOST: u64 = 1024;

/// The schema for this place (a JSON pointer such as `#/$defs/f0`).
pub(super) fn moved(schema: &Value, base: &str) -> Value {
    let Value::Object(keys) = schema else {
        return schema.clone();
    };
    let kept = keys.iter().filter(|(key, value)| keeps(key, value));
    let keys = kept.map(|(key, value)| {
        let value = match (holds(key), value) {
            (Holds::Schemas(_), Value::Array(list)) => {
                list.iter().map(|schema| moved(schema, base)).collect()
            }
            (Holds::Schemas(_), schema) => moved(schema, base),
            (Holds::Named(_), Value::Object(named)) => {
                let named = named.iter();
                let named = named.map(|(name, schema)| (name.clone(), moved(schema, base)));
                Value::Object(named.collect())
            }
            (_, Value::String(place)) if key == "$ref" => {
                Value::String(place.replacen('#', base, 1))
            }
            (_, Value::String(pattern)) if key == "pattern" => plain(pattern).into(),
            _ => value.clone(),
        };
        (key.clone(), value)
    });
    Value::Object(keys.collect::<Map<_, _>>())
}

fn keeps(key: &str, value: &Value) -> bool {
    match key {
        "$schema" | "$comment" | "default" | "examples" | "deprecated" | "readOnly"
        | "writeOnly" => false,
        "maxLength" | "maxItems" => value.as_u64().is_some_and(|most| most <= MAX_MOST),
        _ => true,
    }
}
