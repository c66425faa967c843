//! Whether anything satisfies a schema, as far as that is cheap to see: `false`, an empty `enum`, a least above the most, a
//! required property that may not be there, and recursion without an end.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{keywords, references::References};

const NOTHING: &str = "is satisfied by nothing: look for false, an empty enum, a least above the most, a required property that may not be there, or a $ref in a circle without an end";

/// Refuses a schema that nothing satisfies.
pub(super) fn check(root: &Value, references: &References<'_>) -> Result<(), String> {
    // A place counts once something finite satisfies it, given those that count already: the least fixed point.
    let mut finite = BTreeSet::new();
    loop {
        let before = finite.len();
        for (place, schema) in references.targets() {
            if !finite.contains(place) && satisfiable(schema, &finite) {
                finite.insert(place);
            }
        }
        if finite.len() == before {
            break;
        }
    }
    if satisfiable(root, &finite) {
        Ok(())
    } else {
        Err(NOTHING.to_owned())
    }
}

fn satisfiable(schema: &Value, finite: &BTreeSet<&str>) -> bool {
    let Value::Object(keys) = schema else {
        return schema != &Value::Bool(false);
    };
    let list = |keyword| keys.get(keyword).and_then(Value::as_array);
    let each = |schema: &Value| satisfiable(schema, finite);
    keywords::reference(schema).is_none_or(|place| finite.contains(place))
        && list("allOf").is_none_or(|list| list.iter().all(each))
        && list("anyOf").is_none_or(|list| list.iter().any(each))
        && list("oneOf").is_none_or(|list| list.iter().any(each))
        && list("enum").is_none_or(|values| values.iter().any(|value| allows(keys, value)))
        && keys.get("const").is_none_or(|value| allows(keys, value))
        && types(keys).any(|kind| has_values(kind, keys, finite))
}

/// The types that a schema allows.
fn types(keys: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let all = [
        "object", "array", "string", "number", "integer", "boolean", "null",
    ];
    let types: Vec<&str> = match keys.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(some)) => some.iter().filter_map(Value::as_str).collect(),
        _ => all.to_vec(),
    };
    types.into_iter()
}

fn allows(keys: &Map<String, Value>, value: &Value) -> bool {
    types(keys).any(|kind| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "boolean" => value.is_boolean(),
        _ => value.is_null(),
    })
}

fn has_values(kind: &str, keys: &Map<String, Value>, finite: &BTreeSet<&str>) -> bool {
    match kind {
        "object" => ordered(keys, "minProperties", "maxProperties") && has_objects(keys, finite),
        "array" => ordered(keys, "minItems", "maxItems") && has_arrays(keys, finite),
        "string" => ordered(keys, "minLength", "maxLength"),
        "number" | "integer" => {
            ordered(keys, "minimum", "maximum")
                && apart(keys, "exclusiveMinimum", "maximum")
                && apart(keys, "minimum", "exclusiveMaximum")
                && apart(keys, "exclusiveMinimum", "exclusiveMaximum")
        }
        _ => true,
    }
}

fn pair(keys: &Map<String, Value>, least: &str, most: &str) -> Option<(f64, f64)> {
    let number = |keyword| keys.get(keyword).and_then(Value::as_f64);
    number(least).zip(number(most))
}

fn ordered(keys: &Map<String, Value>, least: &str, most: &str) -> bool {
    pair(keys, least, most).is_none_or(|(least, most)| least <= most)
}

fn apart(keys: &Map<String, Value>, least: &str, most: &str) -> bool {
    pair(keys, least, most).is_none_or(|(least, most)| least < most)
}

fn has_objects(keys: &Map<String, Value>, finite: &BTreeSet<&str>) -> bool {
    let required = keys.get("required").and_then(Value::as_array);
    let mut required = required.into_iter().flatten().filter_map(Value::as_str);
    required.all(|name| {
        let property = keys.get("properties").and_then(|all| all.get(name));
        let schema = property.or_else(|| {
            let others = keys.get("additionalProperties");
            others.filter(|_| !keys.contains_key("patternProperties"))
        });
        schema.is_none_or(|schema| satisfiable(schema, finite))
    })
}

fn has_arrays(keys: &Map<String, Value>, finite: &BTreeSet<&str>) -> bool {
    let least = keys.get("minItems").and_then(Value::as_u64).unwrap_or(0);
    let least = usize::try_from(least).unwrap_or(usize::MAX);
    let first = keys.get("prefixItems").and_then(Value::as_array);
    let first: &[Value] = first.map_or(&[], Vec::as_slice);
    let items = keys.get("items").filter(|items| !items.is_array());
    first
        .iter()
        .take(least)
        .chain(items.filter(|_| least > first.len()))
        .all(|schema| satisfiable(schema, finite))
}
