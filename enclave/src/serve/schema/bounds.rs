//! What a schema may contain: so deep, no numbers that blow up a grammar, nothing that refers elsewhere by name.

use serde_json::Value;

use super::{super::error::quoted, keywords};

/// Levels of schemas in schemas.
const MAX_DEPTH: usize = 32;
/// The most that a length may have to be at least: a grammar repeats its rule so often.
const MAX_LEAST: u64 = 1024;
/// The most bytes of a pattern.
const MAX_PATTERN: usize = 512;
/// Names for schemas other than by place, and schemas that depend on who refers to them.
const NAMES: [&str; 6] = [
    "$id",
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveAnchor",
    "$recursiveRef",
];

/// Says what is wrong with the first schema that is out of bounds.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    walk(schema, MAX_DEPTH)
}

fn walk(schema: &Value, levels: usize) -> Result<(), String> {
    let Some(levels) = levels.checked_sub(1) else {
        return Err(format!(
            "has schemas in schemas over more than {MAX_DEPTH} levels; flatten it, with $defs and $ref"
        ));
    };
    match schema {
        Value::Object(_) => {}
        Value::Bool(_) => return Ok(()),
        _ => {
            return Err(
                "has something else where a schema should be, which is an object, true or false"
                    .to_owned(),
            );
        }
    }
    if let Some(name) = NAMES.iter().find(|name| schema.get(**name).is_some()) {
        return Err(format!(
            "uses {name}, which is not supported; refer to #/$defs/NAME with $ref"
        ));
    }
    for least in ["minLength", "minItems", "minProperties"] {
        let found = schema.get(least).and_then(Value::as_u64);
        if let Some(found) = found.filter(|found| *found > MAX_LEAST) {
            return Err(format!(
                "has {least} {found}; the limit is {MAX_LEAST}: the answer would never end"
            ));
        }
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        check_pattern(pattern)?;
    }
    keywords::inside(schema).try_for_each(|(_, schema)| walk(schema, levels))
}

/// Engines make a grammar of a whole pattern, not of a part to be found somewhere.
fn check_pattern(pattern: &str) -> Result<(), String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!(
            "has a pattern of {} bytes; the limit is {MAX_PATTERN}",
            pattern.len()
        ));
    }
    if pattern.starts_with('^') && pattern.ends_with('$') {
        return Ok(());
    }
    Err(format!(
        "has the pattern {:?}, which does not begin with ^ and end with $; say what the whole string looks like",
        quoted(pattern)
    ))
}
