use proptest::prelude::*;

use super::{text::text_with, *};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z$#/é]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inside| {
        let key = prop_oneof![
            "[a-z$]{1,6}",
            prop::sample::select(vec![
                "role",
                "content",
                "type",
                "function",
                "name",
                "parameters",
                "json_schema",
                "schema",
                "properties",
                "$ref",
                "anyOf",
                "tool_calls",
                "id",
            ])
            .prop_map(str::to_owned),
        ];
        prop_oneof![
            prop::collection::vec(inside.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key, inside, 0..4)
                .prop_map(|table| Value::Object(table.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn hostile_values_never_panic(value in any_json(), key in 0usize..40) {
        let tables = [keys::COMMON, keys::CHAT, keys::TEXT];
        let known: Vec<&str> = tables.iter().copied().flatten().filter(|(_, taken)| matches!(taken, keys::Taken::Read)).map(|(key, _)| *key).collect();
        let key = known[key % known.len()];
        let _ = with(key, value.clone());
        let _ = text_with(key, value.clone());
        let _ = with("response_format", json!({"type": "json_schema", "json_schema": {"schema": value}}));
    }
}
