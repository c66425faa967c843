//! A JSON object of a request, and its values, each of the type and in the range that it should have. What is wrong is named.

use serde_json::{Map, Value};

use super::error::ApiError;

pub(super) type Object = Map<String, Value>;

/// A key that is null counts as absent: OpenAI's clients send both.
pub(super) fn given<'a>(request: &'a Object, key: &str) -> Option<&'a Value> {
    request.get(key).filter(|value| !value.is_null())
}

/// A whole number, however it is written: 3.0 is one.
pub(super) fn whole_number(value: &Value) -> Option<i128> {
    let whole = value.as_i64().map(i128::from);
    whole
        .or_else(|| value.as_u64().map(i128::from))
        .or_else(|| {
            let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
            // Saturates; anything that large is out of every range.
            #[allow(clippy::cast_possible_truncation)]
            Some(number as i128)
        })
}

/// A number in a range, both ends included.
pub(super) fn number(
    request: &Object,
    key: &str,
    least: f64,
    most: f64,
) -> Result<Option<f64>, ApiError> {
    let Some(value) = given(request, key) else {
        return Ok(None);
    };
    match value.as_f64() {
        Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(ApiError::invalid(
            key,
            format!("{key} is not a number from {least} to {most}"),
        )),
    }
}

/// A whole number in a range, both ends included.
pub(super) fn whole(
    request: &Object,
    key: &str,
    least: u32,
    most: u32,
) -> Result<Option<u32>, ApiError> {
    let Some(value) = given(request, key) else {
        return Ok(None);
    };
    whole_number(value)
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (least..=most).contains(number))
        .map(Some)
        .ok_or_else(|| {
            ApiError::invalid(
                key,
                format!("{key} is not a whole number from {least} to {most}"),
            )
        })
}

/// True or false; absent is false.
pub(super) fn flag(object: &Object, key: &str, place: &str) -> Result<bool, ApiError> {
    match given(object, key) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(ApiError::invalid(
            place,
            format!("{place} is neither true nor false"),
        )),
    }
}

/// A string that must be there.
pub(super) fn text<'a>(object: &'a Object, key: &str, place: &str) -> Result<&'a str, ApiError> {
    match given(object, key) {
        None => Err(ApiError::missing(place)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(ApiError::invalid(place, format!("{place} is not a string"))),
    }
}

/// An object.
pub(super) fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Object, ApiError> {
    value
        .as_object()
        .ok_or_else(|| ApiError::invalid(place, format!("{place} is not an object")))
}

/// An array, up to a number of entries.
pub(super) fn array<'a>(
    value: &'a Value,
    place: &str,
    most: usize,
) -> Result<&'a [Value], ApiError> {
    match value.as_array() {
        Some(list) if list.len() <= most => Ok(list),
        Some(list) => {
            let message = format!("{place} has {} entries; the limit is {most}", list.len());
            Err(ApiError::invalid(place, message))
        }
        None => Err(ApiError::invalid(place, format!("{place} is not an array"))),
    }
}
