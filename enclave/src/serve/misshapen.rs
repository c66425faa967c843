//! What an engine said, read with doubt: nothing of it is passed on whose shape was not checked.

use serde_json::{Value, json};

use super::error::ApiError;

/// The engine answered in another shape than its API has. Says what, never the content: that may quote a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine's answer has the wrong shape: {0}")]
pub(super) struct Misshapen(pub(super) &'static str);

/// Why a complete answer of the engine is not one for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    /// By the engine's fault.
    Misshapen(Misshapen),
    /// By the request's.
    Refused(ApiError),
}

impl From<Misshapen> for Unfit {
    fn from(misshapen: Misshapen) -> Self {
        Self::Misshapen(misshapen)
    }
}

/// A value below another.
pub(super) fn below<'a>(
    value: &'a Value,
    key: &str,
    what: &'static str,
) -> Result<&'a Value, Misshapen> {
    value.get(key).ok_or(Misshapen(what))
}

/// A list below a value.
pub(super) fn list<'a>(
    value: &'a Value,
    key: &str,
    what: &'static str,
) -> Result<&'a Vec<Value>, Misshapen> {
    below(value, key, what)?.as_array().ok_or(Misshapen(what))
}

/// A finite number below a value.
pub(super) fn number(value: &Value, key: &str, what: &'static str) -> Result<f64, Misshapen> {
    below(value, key, what)?
        .as_f64()
        .filter(|number| number.is_finite())
        .ok_or(Misshapen(what))
}

/// Each item of a list in the order of their `index`: all from 0 to `count`, each once.
pub(super) fn in_order(items: &[Value], count: usize) -> Result<Vec<&Value>, Misshapen> {
    let mut sorted = vec![None; count];
    for item in items {
        let index = below(item, "index", "index")?.as_u64();
        let index = index.and_then(|index| usize::try_from(index).ok());
        let place = index.and_then(|index| sorted.get_mut(index));
        match place {
            Some(place @ None) => *place = Some(item),
            _ => return Err(Misshapen("an index out of range or there twice")),
        }
    }
    sorted
        .into_iter()
        .map(|item| item.ok_or(Misshapen("fewer items than asked for")))
        .collect()
}

/// The tokens of a request that generates none.
pub(super) fn prompt_usage(answer: &Value) -> Result<Value, Misshapen> {
    const WHAT: &str = "usage";
    let tokens = below(answer, WHAT, WHAT)?
        .get("total_tokens")
        .and_then(Value::as_u64)
        .ok_or(Misshapen(WHAT))?;
    Ok(json!({"prompt_tokens": tokens, "total_tokens": tokens}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_sorted_and_each_is_there_once() {
        let items = |indexes: &[i64]| -> Vec<Value> {
            indexes
                .iter()
                .map(|index| json!({"index": index}))
                .collect()
        };
        let sorted = items(&[1, 0]);
        let sorted = in_order(&sorted, 2).unwrap();
        assert_eq!(sorted, [&json!({"index": 0}), &json!({"index": 1})]);
        for wrong in [&[0][..], &[0, 0], &[0, 2], &[0, -1], &[0, 1, 1]] {
            assert!(in_order(&items(wrong), 2).is_err(), "{wrong:?}");
        }
        assert!(in_order(&[json!({}), json!(5)], 2).is_err());
    }

    #[test]
    fn usage_is_a_number_of_tokens() {
        let usage = prompt_usage(&json!({"usage": {"total_tokens": 3}})).unwrap();
        assert_eq!(usage["prompt_tokens"], 3);
        for wrong in [
            json!({}),
            json!({"usage": 5}),
            json!({"usage": {}}),
            json!({"usage": {"total_tokens": -1}}),
            json!({"usage": {"total_tokens": "3"}}),
        ] {
            assert_eq!(prompt_usage(&wrong), Err(Misshapen("usage")), "{wrong}");
        }
    }
}
