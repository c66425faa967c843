//! The form that an answer's text has to have.

use serde_json::{Value, json};

use super::{
    error::{ApiError, quoted},
    object::{Object, flag, given, object, text},
    schema::Schema,
};

/// Where a schema for the whole answer stands.
pub(super) const SCHEMA: &str = "response_format.json_schema.schema";

/// Reads `response_format`: the schema that the answer follows, if any.
pub(super) fn parse(request: &Object) -> Result<Option<Schema>, ApiError> {
    let Some(format) = given(request, "response_format") else {
        return Ok(None);
    };
    let format = object(format, "response_format")?;
    match text(format, "type", "response_format.type")? {
        "text" => Ok(None),
        "json_object" => Schema::compile("response_format", &json!({"type": "object"})).map(Some),
        "json_schema" => json_schema(format).map(Some),
        other => {
            let message = format!(
                "response_format.type is {:?}; use text, json_object or json_schema",
                quoted(other)
            );
            Err(ApiError::invalid("response_format.type", message))
        }
    }
}

fn json_schema(format: &Object) -> Result<Schema, ApiError> {
    let place = "response_format.json_schema";
    let wrapper = match given(format, "json_schema") {
        None => return Err(ApiError::missing(place)),
        Some(wrapper) => object(wrapper, place)?,
    };
    // Strict or not, the answer follows the schema.
    flag(wrapper, "strict", "response_format.json_schema.strict")?;
    match given(wrapper, "schema") {
        None => Err(ApiError::missing(SCHEMA)),
        Some(schema @ Value::Object(_)) => Schema::compile(SCHEMA, schema),
        Some(_) => Err(ApiError::invalid(
            SCHEMA,
            format!("{SCHEMA} is not an object"),
        )),
    }
}
