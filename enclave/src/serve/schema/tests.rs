#![allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used"
)]

use serde_json::json;

use super::*;

fn refused(schema: Value) -> String {
    let error = Schema::compile("place", &schema).unwrap_err();
    assert_eq!(
        (error.parameter.as_deref(), error.code),
        (Some("place"), "invalid_value")
    );
    error.message
}

#[test]
fn an_answer_is_held_to_the_schema() {
    let schema = Schema::compile(
        "place",
        &json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "^[a-z]+$"}, "b": {"$ref": "#/$defs/n"}},
            "required": ["a"], "additionalProperties": false, "$defs": {"n": {"type": "integer", "minimum": 1}}}),
    )
    .unwrap();
    schema.accept(r#"{"a": "x", "b": 1}"#).unwrap();
    for (answer, why) in [
        ("{", "not JSON"),
        ("[]", "/type"),
        (r#"{"a": "X"}"#, "pattern"),
        (r#"{"a": "x", "b": 0}"#, "minimum"),
        (r#"{"a": "x", "c": 0}"#, "additionalProperties"),
        (r#"{"b": 1}"#, "required"),
    ] {
        let said = schema.accept(answer).unwrap_err();
        assert!(said.contains(why), "{answer}: {said}");
    }
}

#[test]
fn names_what_is_out_of_bounds() {
    let mut deep = json!({"type": "string"});
    for _ in 0..40 {
        deep = json!({"type": "array", "items": deep});
    }
    let many: serde_json::Map<String, Value> = (0..300)
        .map(|index| {
            (
                format!("a{index}"),
                json!({"$ref": format!("#/$defs/d{index}")}),
            )
        })
        .collect();
    let definitions: serde_json::Map<String, Value> = (0..300)
        .map(|index| (format!("d{index}"), json!({})))
        .collect();
    for (schema, why) in [
        (
            json!({"description": "a".repeat(1 << 20)}),
            "the limit is 65536",
        ),
        (deep, "more than 32 levels"),
        (
            json!({"properties": many, "$defs": definitions}),
            "more than 256 places",
        ),
        (
            json!({"properties": {"a": 5}}),
            "something else where a schema should be",
        ),
        (json!({"$id": "x"}), "$id"),
        (json!({"items": {"$dynamicRef": "#a"}}), "$dynamicRef"),
        (
            json!({"type": "array", "minItems": 1_000_000_000}),
            "minItems 1000000000",
        ),
        (
            json!({"type": "string", "pattern": "a"}),
            "begin with ^ and end with $",
        ),
        (
            json!({"type": "string", "pattern": format!("^{}$", "a".repeat(600))}),
            "pattern of 602 bytes",
        ),
        (
            json!({"type": "string", "pattern": "^(a)\\1$"}),
            "not a valid JSON schema",
        ),
        (
            json!({"type": "string", "pattern": "^(?=a)b$"}),
            "not a valid JSON schema",
        ),
        (
            json!({"type": "string", "pattern": "^((a{900}){900}){900}$"}),
            "not a valid JSON schema",
        ),
        (json!({"type": "no type"}), "not a valid JSON schema"),
        (
            json!({"$ref": "https://example.org/schema"}),
            "fetches nothing",
        ),
        (json!({"$ref": "#/$defs/a"}), "where there is nothing"),
        (json!({"$ref": "#"}), "without going into"),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
            "without going into",
        ),
    ] {
        let message = refused(schema);
        assert!(message.contains(why), "{why}: {message}");
    }
}

/// Each definition has the next one twice: two to the power of thirty in the end.
#[test]
fn what_grows_when_it_is_expanded_is_refused() {
    let mut definitions = serde_json::Map::new();
    for level in 0..30 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        definitions.insert(format!("d{level}"), json!({"anyOf": [next, next]}));
    }
    definitions.insert("d30".into(), json!({"type": "string"}));
    let schema = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    assert!(refused(schema).contains("more than 10000 schemas"));
}

#[test]
fn what_nothing_satisfies_is_refused() {
    let required = |property: Value| json!({"type": "object", "properties": {"a": property}, "required": ["a"]});
    for schema in [
        json!({"enum": []}),
        json!({"type": "string", "enum": [1, 2]}),
        json!({"type": "string", "const": 1}),
        json!({"type": []}),
        json!({"type": "integer", "minimum": 2, "maximum": 1}),
        json!({"type": "number", "exclusiveMinimum": 1, "maximum": 1}),
        json!({"type": "string", "minLength": 2, "maxLength": 1}),
        json!({"type": "array", "minItems": 1, "items": false}),
        json!({"anyOf": [false, {"enum": []}]}),
        json!({"allOf": [true, false]}),
        required(json!(false)),
        required(json!({"enum": []})),
        json!({"type": "object", "required": ["a"], "properties": {}, "additionalProperties": false}),
        // A list that never ends.
        json!({"$ref": "#/$defs/node", "$defs": {"node":
            {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}}}),
    ] {
        let text = schema.to_string();
        let error = Schema::compile("place", &schema).unwrap_err();
        assert_eq!(error.code, "invalid_value", "{text}");
    }
}

#[test]
fn recursion_with_an_end_is_taken_and_bounded() {
    let list = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "required": ["next"], "properties":
        {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}}});
    let list = Schema::compile("place", &list).unwrap();
    list.accept(r#"{"next": {"next": null}}"#).unwrap();
    // Checking this takes two steps for each level, then four, then eight.
    let twice = json!({"anyOf": [{"type": "null"}, {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"properties": {"a": {"$ref": "#"}}, "required": ["a"]}]});
    let twice = Schema::compile("place", &twice).unwrap();
    twice.accept(r#"{"a": {"a": null}}"#).unwrap();
    let deep = format!("{}5{}", "{\"a\":".repeat(60), "}".repeat(60));
    assert!(twice.accept(&deep).unwrap_err().contains("nested deeper"));
}

#[test]
fn an_engine_gets_references_that_still_lead_there() {
    let schema = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {
        "$ref": {"$ref": "#/$defs/a"}, "b": {"type": "string", "maxLength": 1_000_000}, "c": {"const": {"$ref": "#/x"}}},
        "$defs": {"a": {"default": 1, "items": {"$ref": "#"}}}});
    let moved = Schema::compile("place", &schema)
        .unwrap()
        .moved("#/$defs/f0");
    assert_eq!(
        moved,
        json!({"type": "object", "properties": {
            "$ref": {"$ref": "#/$defs/f0/$defs/a"}, "b": {"type": "string"}, "c": {"const": {"$ref": "#/x"}}},
            "$defs": {"a": {"items": {"$ref": "#/$defs/f0"}}}})
    );
}

#[test]
fn keys_keep_their_order() {
    let schema =
        serde_json::from_str(r#"{"type": "object", "properties": {"z": {}, "a": {}, "m": {}}}"#)
            .unwrap();
    let moved = Schema::compile("place", &schema)
        .unwrap()
        .moved("#")
        .to_string();
    assert!(moved.contains(r#"{"z":{},"a":{},"m":{}}"#), "{moved}");
}
