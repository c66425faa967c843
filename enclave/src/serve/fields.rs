//! The keys of one object of a request. Whatever is wrong is refused by its full name, such as `tools[0].name`.

use std::{fmt::Display, ops::RangeInclusive};

use serde_json::Value;

use super::{
    error::ApiError,
    object::{self, Object, whole_number},
};

/// One object of a request, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    object: &'a Object,
    place: String,
}

impl<'a> Fields<'a> {
    /// A request's body.
    pub(super) fn body(value: &'a Value) -> Result<Self, ApiError> {
        let Value::Object(object) = value else {
            return Err(ApiError::malformed("the body is not a JSON object"));
        };
        Ok(Self {
            object,
            place: String::new(),
        })
    }

    /// An object at a place within the body.
    pub(super) fn at(place: impl Into<String>, value: &'a Value) -> Result<Self, ApiError> {
        let place = place.into();
        match value {
            Value::Object(object) => Ok(Self { object, place }),
            _ => Err(wrong(&place, "an object")),
        }
    }

    /// The full name of a key.
    pub(super) fn name(&self, key: impl Display) -> String {
        if self.place.is_empty() {
            key.to_string()
        } else {
            format!("{}.{key}", self.place)
        }
    }

    /// A value, if there is one.
    pub(super) fn given(&self, key: &str) -> Option<&'a Value> {
        object::given(self.object, key)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, ApiError> {
        self.read(key, "a string", Value::as_str)
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, ApiError> {
        self.read(key, "true or false", Value::as_bool)
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<&'a Vec<Value>>, ApiError> {
        self.read(key, "an array", Value::as_array)
    }

    /// An object below this one.
    pub(super) fn below(&self, key: &str) -> Result<Option<Self>, ApiError> {
        self.given(key)
            .map(|value| Self::at(self.name(key), value))
            .transpose()
    }

    /// A number within a range, as it was written.
    pub(super) fn number(
        &self,
        key: &str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<&'a Value>, ApiError> {
        let Some(value) = self.given(key) else {
            return Ok(None);
        };
        if value.as_f64().is_some_and(|number| range.contains(&number)) {
            return Ok(Some(value));
        }
        let (start, end) = range.into_inner();
        Err(wrong(
            &self.name(key),
            &format!("a number from {start} to {end}"),
        ))
    }

    /// A whole number of at least `least`. 3.0 counts as one.
    pub(super) fn whole(&self, key: &str, least: u64) -> Result<Option<u64>, ApiError> {
        let what = format!("a whole number of at least {least}");
        self.read(key, &what, |value| {
            let number = u64::try_from(whole_number(value)?).ok();
            number.filter(|number| *number >= least)
        })
    }

    /// Refuses the first key that is not among these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        let mut given = self.object.iter().filter(|(_, value)| !value.is_null());
        match given.find(|(key, _)| !known.contains(&key.as_str())) {
            Some((key, _)) => Err(ApiError::unsupported(&self.name(key))),
            None => Ok(()),
        }
    }

    /// Refuses a key unless its value changes nothing.
    pub(super) fn unless(
        &self,
        key: &str,
        harmless: impl FnOnce(&Value) -> bool,
    ) -> Result<(), ApiError> {
        match self.given(key) {
            Some(value) if !harmless(value) => Err(ApiError::unsupported(&self.name(key))),
            _ => Ok(()),
        }
    }

    fn read<T>(
        &self,
        key: &str,
        what: &str,
        as_type: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.given(key) else {
            return Ok(None);
        };
        match as_type(value) {
            Some(read) => Ok(Some(read)),
            None => Err(wrong(&self.name(key), what)),
        }
    }

    /// A value that must be there.
    pub(super) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, ApiError> {
        value.ok_or_else(|| ApiError::missing(&self.name(key)))
    }

    /// A string that must be there.
    pub(super) fn required_text(&self, key: &str) -> Result<&'a str, ApiError> {
        self.required(key, self.text(key)?)
    }
}

/// A value of another type or out of range.
pub(super) fn wrong(name: &str, what: &str) -> ApiError {
    ApiError::invalid(name, format!("{name} is not {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_says_the_whole_way() {
        let value = json!({"function": {"name": 5, "n": 3.0, "odd": 1.5, "null": null}});
        let body = Fields::body(&value).unwrap();
        let below = body.below("function").unwrap().unwrap();
        let error = below.text("name").unwrap_err();
        assert_eq!(error.parameter.as_deref(), Some("function.name"));
        assert_eq!(error.message, "function.name is not a string");
        assert_eq!(below.whole("n", 1).unwrap(), Some(3));
        assert!(below.whole("n", 4).is_err() && below.whole("odd", 0).is_err());
        assert_eq!(below.text("null").unwrap(), None);
        let error = below.only(&["name", "n"]).unwrap_err();
        assert_eq!(error.parameter.as_deref(), Some("function.odd"));
    }

    #[test]
    fn a_body_is_an_object() {
        assert_eq!(Fields::body(&json!([])).unwrap_err().code, "invalid_json");
        let error = Fields::at("text", &json!(1)).unwrap_err();
        assert_eq!(error.message, "text is not an object");
    }

    #[test]
    fn a_number_is_within_its_range() {
        let value = json!({"t": 1.1, "s": "1"});
        let body = Fields::body(&value).unwrap();
        assert!(body.number("t", 0.0..=2.0).unwrap().is_some());
        for key in ["t", "s"] {
            let error = body.number(key, 0.0..=1.0).unwrap_err();
            assert_eq!(error.message, format!("{key} is not a number from 0 to 1"));
        }
    }
}
