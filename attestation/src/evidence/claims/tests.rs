//! Claims of the current profile, and each way to be refused.

use super::*;

/// When their epoch began.
pub(crate) const BEGAN: i64 = 1_796_126_400;

pub(crate) fn claims() -> Claims {
    Claims {
        profile: PROFILE.to_owned(),
        release: "0.1.0".to_owned(),
        configuration: [1; 32],
        engines: vec![EngineClaim {
            name: "llama-cpu".to_owned(),
            version: "llama.cpp b1".to_owned(),
            disk: [2; 32],
        }],
        models: vec![ModelClaim {
            name: "smollm2".to_owned(),
            kind: "chat".to_owned(),
            engine: "llama-cpu".to_owned(),
            disk: [3; 32],
            weights: [4; 32],
            tokenizer: Some([5; 32]),
            template: None,
        }],
        known_answer: true,
        receipt_key: [6; 32],
        hpke_key: [0x09; 32],
        epoch: 0,
        epoch_began: BEGAN,
        epoch_seconds: 600,
    }
}

/// Why the claims are refused once one thing is changed.
fn refused(change: impl FnOnce(&mut Claims)) -> String {
    let mut claims = claims();
    change(&mut claims);
    what(&claims.encode())
}

#[track_caller]
fn what(encoded: &[u8]) -> String {
    match Claims::decode(encoded) {
        Err(Rejection::ClaimsMalformed { what }) => what,
        other => panic!("{other:?}"),
    }
}

/// The encoding with the fields of the claims, or of their first model, changed.
fn changed(
    list: Option<&str>,
    change: impl FnOnce(&mut std::collections::BTreeMap<Value, Value>),
) -> Vec<u8> {
    let Some(Value::Map(mut fields)) = cbor::decode(&claims().encode()) else {
        panic!()
    };
    match list {
        None => change(&mut fields),
        Some(list) => {
            let Some(Value::Array(elements)) = fields.get_mut(&name(list)) else {
                panic!()
            };
            let Value::Map(element) = &mut elements[0] else {
                panic!()
            };
            change(element);
        }
    }
    cbor::encode(&Value::Map(fields))
}

fn name(name: &str) -> Value {
    Value::Text(name.to_owned())
}

#[test]
fn claims_come_back_as_they_were() {
    let mut several = claims();
    let mut other = several.models[0].clone();
    other.name = "whisper".to_owned();
    other.kind = "speech".to_owned();
    other.template = Some([6; 32]);
    several.models.push(other);
    let nothing = Claims {
        engines: Vec::new(),
        models: Vec::new(),
        ..claims()
    };
    for claims in [claims(), several, nothing] {
        assert_eq!(Claims::decode(&claims.encode()), Ok(claims));
    }
}

#[test]
fn another_profile_is_told_apart() {
    for profile in [
        "tag:chrysalis,2026:enclave/1",
        "tag:chrysalis,2026:enclave/3",
    ] {
        let encoded = changed(None, |fields| {
            fields.insert(name("profile"), name(profile));
            fields.remove(&name("models"));
            fields.insert(name("model"), name("smollm2"));
        });
        let found = profile.to_owned();
        let refused = Rejection::ClaimsProfile { found };
        assert_eq!(Claims::decode(&encoded), Err(refused));
    }
}

#[test]
fn refuses_an_unknown_or_a_missing_field() {
    for (list, key, missing) in [
        (None, "engines", "`engines` is missing or of the wrong type"),
        (None, "models", "`models` is missing or of the wrong type"),
        (
            None,
            "known_answer",
            "`known_answer` is missing or of the wrong type",
        ),
        (
            None,
            "receipt_key",
            "`receipt_key` is missing or of the wrong type",
        ),
        (
            None,
            "epoch_seconds",
            "`epoch_seconds` is missing or of the wrong type",
        ),
        (
            Some("engines"),
            "version",
            "`engines.version` is missing or of the wrong form",
        ),
        (
            Some("models"),
            "kind",
            "`models.kind` is missing or of the wrong form",
        ),
        (
            Some("models"),
            "weights",
            "`models.weights` is missing or of the wrong form",
        ),
    ] {
        let unknown = changed(list, |fields| {
            drop(fields.insert(name("colour"), Value::Null));
        });
        let prefix = list.map_or(String::new(), |list| format!("{list}."));
        assert_eq!(what(&unknown), format!("`{prefix}colour` is unknown"));
        let without = changed(list, |fields| drop(fields.remove(&name(key))));
        assert_eq!(what(&without), missing);
    }
    for key in ["weights", "template"] {
        let short = changed(Some("models"), |fields| {
            fields.insert(name(key), Value::Bytes(vec![0; 31]));
        });
        let wrong = format!("`models.{key}` is missing or of the wrong form");
        assert_eq!(what(&short), wrong);
    }
    let number = changed(None, |fields| {
        fields.insert(name("models"), Value::Array(vec![Value::Null]));
    });
    assert_eq!(what(&number), "`models` has an element that is not a map");
}

#[test]
fn refuses_epochs_that_no_enclave_has() {
    for seconds in [60, 86_400] {
        let mut claims = claims();
        claims.epoch_seconds = seconds;
        assert_eq!(Claims::decode(&claims.encode()), Ok(claims));
    }
    for seconds in [0, 59, 86_401, u64::MAX] {
        let wrong = refused(|it| it.epoch_seconds = seconds);
        assert_eq!(wrong, "`epoch_seconds` is not 60 to 86400");
    }
}

#[test]
fn refuses_names_that_are_not_short_words() {
    let wrong = "`models.name` is missing or of the wrong form";
    for text in ["", "two words", "a\nline", "ü", &"m".repeat(MAX_NAME + 1)] {
        assert_eq!(
            refused(|it| it.models[0].name = text.to_owned()),
            wrong,
            "{text}"
        );
    }
    let wrong = "`engines.version` is missing or of the wrong form";
    for text in ["", "b1\u{1b}[2J", &"1".repeat(MAX_NAME + 1)] {
        assert_eq!(
            refused(|it| it.engines[0].version = text.to_owned()),
            wrong,
            "{text}"
        );
    }
    let wrong = "`models.kind` is missing or of the wrong form";
    assert_eq!(refused(|it| it.models[0].kind = "oracle".to_owned()), wrong);
    let mut longest = claims();
    longest.models[0].name = "m".repeat(MAX_NAME);
    assert_eq!(Claims::decode(&longest.encode()), Ok(longest));
}

#[test]
fn refuses_a_name_twice_too_many_models_and_an_engine_that_is_not_there() {
    let twice = refused(|it| it.models.push(it.models[0].clone()));
    assert_eq!(twice, "`models` has a name twice");
    let twice = refused(|it| it.engines.push(it.engines[0].clone()));
    assert_eq!(twice, "`engines` has a name twice");
    let nowhere = refused(|it| it.models[0].engine = "vllm-cpu".to_owned());
    assert_eq!(nowhere, "a model names an engine that is not claimed");

    let with = |count: usize| {
        let mut claims = claims();
        let model = claims.models.remove(0);
        claims.models.extend((0..count).map(|number| ModelClaim {
            name: format!("{}-{number}", model.name),
            ..model.clone()
        }));
        Claims::decode(&claims.encode()).map(|claims| claims.models.len())
    };
    assert_eq!(with(MAX_SERVED), Ok(MAX_SERVED));
    let many = malformed("`models` has too many elements");
    assert_eq!(with(MAX_SERVED + 1), Err(many));
}
