//! `POST /v1/embeddings`: texts in, vectors out.

use chrysalis_wire::configuration::Kind;
use data_encoding::BASE64;
use hyper::Response;
use serde_json::{Value, json};

use super::{
    answer::Body,
    error::ApiError,
    fields::{Fields, wrong},
    misshapen::{self as shape, Misshapen, Unfit},
    service::Service,
    single,
};
use crate::engine::{Call, CallBody, Tenant};

/// The most texts of one request, as at OpenAI.
const MAX_INPUTS: usize = 2048;
/// What the engine's answer may have for each text: as much as sixteen bytes of generated text take on the wire.
const TEXT_PER_INPUT: usize = 16;

/// Answers a request, the JSON of its body.
pub(super) async fn embed(
    service: &Service,
    tenant: &Tenant,
    body: Value,
) -> Result<Response<Body>, ApiError> {
    let request = Embeddings::parse(&body)?;
    drop(body);
    let served = service.model(&request.model, Kind::Embedding)?;
    let call = Call {
        path: "/v1/embeddings",
        body: CallBody::Json(request.question()),
        most_text: request.inputs.len().saturating_mul(TEXT_PER_INPUT),
    };
    single::respond(served, tenant, call, "input", |said| request.answer(said)).await
}

/// A request for embeddings, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Embeddings {
    model: String,
    inputs: Vec<String>,
    encoding: Encoding,
    dimensions: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Float,
    Base64,
}

impl Embeddings {
    /// Reads a request's body.
    fn parse(body: &Value) -> Result<Self, ApiError> {
        let body = Fields::body(body)?;
        body.only(&["model", "input", "encoding_format", "dimensions", "user"])?;
        body.text("user")?;
        Ok(Self {
            model: body.required_text("model")?.to_owned(),
            inputs: inputs(body.required("input", body.given("input"))?)?,
            encoding: match body.text("encoding_format")? {
                None | Some("float") => Encoding::Float,
                Some("base64") => Encoding::Base64,
                Some(_) => return Err(wrong("encoding_format", "\"float\" or \"base64\"")),
            },
            dimensions: body.whole("dimensions", 1)?,
        })
    }

    /// What the engine is asked, by whichever API: numbers as text, because their shape can then be checked.
    fn question(&self) -> Value {
        json!({"model": self.model, "input": self.inputs, "encoding_format": "float"})
    }

    /// The answer from the engine's.
    fn answer(&self, said: &Value) -> Result<Value, Unfit> {
        let items = shape::list(said, "data", "data")?;
        let mut vectors = Vec::with_capacity(self.inputs.len());
        for item in shape::in_order(items, self.inputs.len())? {
            vectors.push(vector(item)?);
        }
        let length = vectors.first().map_or(0, Vec::len);
        if length == 0 || vectors.iter().any(|vector| vector.len() != length) {
            return Err(Misshapen("vectors that are empty or of different lengths").into());
        }
        self.check_dimensions(length)?;
        let data: Vec<Value> = vectors
            .iter()
            .enumerate()
            .map(|(index, vector)| {
                json!({"object": "embedding", "index": index, "embedding": self.encoded(vector)})
            })
            .collect();
        Ok(json!({
            "object": "list",
            "data": data,
            "model": self.model,
            "usage": shape::prompt_usage(said)?,
        }))
    }

    /// How many numbers a model gives is known only once it has answered.
    fn check_dimensions(&self, length: usize) -> Result<(), Unfit> {
        match self.dimensions {
            Some(wanted) if u64::try_from(length) != Ok(wanted) => {
                Err(Unfit::Refused(ApiError::invalid(
                    "dimensions",
                    format!(
                        "dimensions is {wanted}, and this model's vectors have {length} numbers; leave it out, or send {length}"
                    ),
                )))
            }
            _ => Ok(()),
        }
    }

    fn encoded(&self, vector: &[f32]) -> Value {
        match self.encoding {
            Encoding::Float => json!(vector),
            Encoding::Base64 => {
                let bytes: Vec<u8> = vector
                    .iter()
                    .flat_map(|number| number.to_le_bytes())
                    .collect();
                Value::String(BASE64.encode(&bytes))
            }
        }
    }
}

fn inputs(value: &Value) -> Result<Vec<String>, ApiError> {
    const TOKENS: &str = "input has token ids, which mean something else to each model; send text";
    let list = match value {
        Value::String(_) => std::slice::from_ref(value),
        Value::Array(list) => list,
        _ => return Err(wrong("input", "a string or an array of strings")),
    };
    if list.is_empty() || list.len() > MAX_INPUTS {
        return Err(ApiError::invalid(
            "input",
            format!("input has {} texts; send 1 to {MAX_INPUTS}", list.len()),
        ));
    }
    list.iter()
        .enumerate()
        .map(|(index, text)| match text {
            Value::String(text) if text.is_empty() => Err(ApiError::invalid(
                "input",
                format!("input[{index}] is empty; an empty text has no embedding, leave it out"),
            )),
            Value::String(text) => Ok(text.clone()),
            Value::Number(_) | Value::Array(_) => Err(ApiError::invalid("input", TOKENS)),
            _ => Err(wrong(&format!("input[{index}]"), "a string")),
        })
        .collect()
}

/// One vector: finite numbers, as `f32`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "models compute with f32 or less"
)]
fn vector(item: &Value) -> Result<Vec<f32>, Misshapen> {
    const WHAT: &str = "a vector of something else than finite numbers";
    shape::list(item, "embedding", "embedding")?
        .iter()
        .map(|number| {
            let number = number.as_f64().ok_or(Misshapen(WHAT))? as f32;
            if number.is_finite() {
                Ok(number)
            } else {
                Err(Misshapen(WHAT))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::serve::arbitrary::json as any_json;

    fn parse(request: &Value) -> Result<Embeddings, ApiError> {
        Embeddings::parse(request)
    }

    fn said(vectors: &[Value]) -> Value {
        let data: Vec<Value> = vectors
            .iter()
            .enumerate()
            .map(|(index, vector)| json!({"index": index, "embedding": vector}))
            .collect();
        json!({"data": data, "usage": {"prompt_tokens": 4, "total_tokens": 4}})
    }

    #[test]
    fn texts_become_vectors_in_their_order() {
        let request = parse(&json!({"model": "m", "input": ["a", "b"], "user": "u"})).unwrap();
        assert_eq!(
            request.question(),
            json!({"model": "m", "input": ["a", "b"], "encoding_format": "float"})
        );
        let said = json!({
            "data": [{"index": 1, "embedding": [2, 3.5]}, {"index": 0, "embedding": [0.25, -1]}],
            "usage": {"total_tokens": 4},
            "timings": "inner matters",
        });
        assert_eq!(
            request.answer(&said).unwrap(),
            json!({
                "object": "list",
                "data": [
                    {"object": "embedding", "index": 0, "embedding": [0.25, -1.0]},
                    {"object": "embedding", "index": 1, "embedding": [2.0, 3.5]},
                ],
                "model": "m",
                "usage": {"prompt_tokens": 4, "total_tokens": 4},
            })
        );
    }

    #[test]
    fn base64_is_of_little_endian_numbers() {
        let request = json!({"model": "m", "input": "a", "encoding_format": "base64"});
        let answer = parse(&request)
            .unwrap()
            .answer(&said(&[json!([1, -2])]))
            .unwrap();
        let encoded = answer["data"][0]["embedding"].as_str().unwrap();
        assert_eq!(
            BASE64.decode(encoded.as_bytes()).unwrap(),
            [0, 0, 128, 63, 0, 0, 0, 192]
        );
    }

    #[test]
    fn names_what_is_wrong() {
        let many = vec!["a"; MAX_INPUTS + 1];
        for (key, value, parameter, code) in [
            ("model", json!(null), "model", "missing_required_parameter"),
            ("model", json!(5), "model", "invalid_value"),
            ("input", json!(null), "input", "missing_required_parameter"),
            ("input", json!(5), "input", "invalid_value"),
            ("input", json!([]), "input", "invalid_value"),
            ("input", json!(many), "input", "invalid_value"),
            ("input", json!(""), "input", "invalid_value"),
            ("input", json!(["a", ""]), "input", "invalid_value"),
            ("input", json!([1, 2]), "input", "invalid_value"),
            ("input", json!([[1], [2]]), "input", "invalid_value"),
            ("input", json!(["a", {}]), "input[1]", "invalid_value"),
            (
                "encoding_format",
                json!("int8"),
                "encoding_format",
                "invalid_value",
            ),
            ("dimensions", json!(0), "dimensions", "invalid_value"),
            ("dimensions", json!(1.5), "dimensions", "invalid_value"),
            ("user", json!(5), "user", "invalid_value"),
            ("truncate", json!(true), "truncate", "unsupported_parameter"),
        ] {
            let mut request = json!({"model": "m", "input": "a"});
            request[key] = value.clone();
            let error = parse(&request).unwrap_err();
            let named = (error.parameter.as_deref(), error.code);
            assert_eq!(named, (Some(parameter), code), "{key}: {value}");
        }
        let tokens = parse(&json!({"model": "m", "input": [1]})).unwrap_err();
        assert!(tokens.message.contains("token ids"), "{}", tokens.message);
    }

    #[test]
    fn other_dimensions_than_the_models_are_refused() {
        let request = |dimensions| json!({"model": "m", "input": "a", "dimensions": dimensions});
        let said = said(&[json!([1, 2])]);
        assert!(parse(&request(2)).unwrap().answer(&said).is_ok());
        match parse(&request(3)).unwrap().answer(&said) {
            Err(Unfit::Refused(error)) => {
                assert_eq!(error.parameter.as_deref(), Some("dimensions"));
                assert!(
                    error.message.contains("have 2 numbers"),
                    "{}",
                    error.message
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn another_shape_is_not_passed_on() {
        let request = parse(&json!({"model": "m", "input": ["a", "b"]})).unwrap();
        let good = said(&[json!([1]), json!([2])]);
        assert!(request.answer(&good).is_ok());
        let mut no_usage = good.clone();
        no_usage["usage"] = json!(null);
        for wrong in [
            json!(null),
            json!({"data": 5}),
            said(&[json!([1])]),
            said(&[json!([1]), json!([2]), json!([3])]),
            said(&[json!([1]), json!([2, 3])]),
            said(&[json!([]), json!([])]),
            said(&[json!([1]), json!(["2"])]),
            said(&[json!([1]), json!([null])]),
            said(&[json!([1]), json!([1e300])]),
            said(&[json!([1]), json!([[1]])]),
            said(&[json!([1]), json!("AAAA")]),
            no_usage,
        ] {
            assert!(
                matches!(request.answer(&wrong), Err(Unfit::Misshapen(_))),
                "{wrong}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_request_and_no_answer_panics(request in any_json(), said in any_json()) {
            let _ = parse(&request);
            let asked = parse(&json!({"model": "m", "input": ["a", "b"]})).unwrap();
            let _ = asked.answer(&said);
        }
    }
}
