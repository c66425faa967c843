//! Which keywords of a schema hold schemas, and about which part of the answer those speak.

use serde_json::Value;

/// What stands under a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A schema, an array of schemas, or either.
    Schemas(About),
    /// An object of schemas by name.
    Named(About),
    /// Data.
    Data,
}

/// What a schema inside another one speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// The same value.
    Same,
    /// A part of it.
    Part,
    /// Nothing, until something refers to it.
    Nothing,
}

/// What stands under a keyword.
pub(super) fn holds(keyword: &str) -> Holds {
    match keyword {
        "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" => Holds::Schemas(About::Same),
        "dependentSchemas" => Holds::Named(About::Same),
        "items"
        | "prefixItems"
        | "additionalItems"
        | "contains"
        | "additionalProperties"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Holds::Schemas(About::Part),
        "properties" | "patternProperties" => Holds::Named(About::Part),
        "$defs" | "definitions" => Holds::Named(About::Nothing),
        _ => Holds::Data,
    }
}

/// Each schema directly inside this one, with what it speaks about.
pub(super) fn inside(schema: &Value) -> impl Iterator<Item = (About, &Value)> {
    let keywords = schema.as_object().into_iter().flatten();
    keywords.flat_map(|(keyword, value)| -> Vec<(About, &Value)> {
        match (holds(keyword), value) {
            (Holds::Schemas(about), Value::Array(list)) => {
                list.iter().map(|schema| (about, schema)).collect()
            }
            (Holds::Schemas(about), schema) => vec![(about, schema)],
            (Holds::Named(about), Value::Object(named)) => {
                named.values().map(|schema| (about, schema)).collect()
            }
            _ => Vec::new(),
        }
    })
}

/// What a schema refers to.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()
}
