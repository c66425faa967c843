//! The schema of every verdict in JSON, and whether a value fits it.

use std::sync::LazyLock;

use serde_json::Value;

/// What is wrong with a value by a schema, as far as ours goes: types, enumerations, required and further properties, items.
pub fn faults(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let types: Vec<_> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.is_empty() && !types.contains(&found) {
        faults.push(format!("{at} is {found}"));
    }
    if let Some(known) = schema["enum"].as_array()
        && !known.contains(value)
    {
        faults.push(format!("{at} is {value}"));
    }
    if let Some(items) = value.as_array() {
        for (place, item) in items.iter().enumerate() {
            faults.extend(self::faults(
                &schema["items"],
                item,
                &format!("{at}/{place}"),
            ));
        }
    }
    if let Some(fields) = value.as_object() {
        let required = schema["required"].as_array().into_iter().flatten();
        let missing = required
            .filter_map(Value::as_str)
            .filter(|name| !fields.contains_key(*name));
        faults.extend(missing.map(|name| format!("{at}/{name} is missing")));
        for (name, field) in fields {
            match schema["properties"].get(name) {
                Some(schema) => faults.extend(self::faults(schema, field, &format!("{at}/{name}"))),
                None if schema["additionalProperties"] == false => {
                    faults.push(format!("{at}/{name} is unknown"));
                }
                None => {}
            }
        }
    }
    faults
}

/// docs/spec/verdict.schema.json.
pub fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        let text = include_str!("../../docs/spec/verdict.schema.json");
        serde_json::from_str(text).expect("a schema")
    });
    &SCHEMA
}
