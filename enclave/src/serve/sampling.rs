//! How to pick the next token, and when to stop: every number in its range, and none left to an engine's defaults.

use chrysalis_wire::configuration::{Model, Serving};
use serde_json::Value;

use super::{
    error::ApiError,
    object::{Object, given, number, object, whole, whole_number},
};

/// The most stop texts, as at OpenAI.
const MAX_STOPS: usize = 4;
/// The most bytes in a stop text.
const MAX_STOP: usize = 256;
/// The most tokens with a bias.
const MAX_BIASES: usize = 1024;
/// The most choices of one request.
pub(super) const MAX_CHOICES: u32 = 16;
/// Bits of a seed that every engine takes: one of them reads the largest number of 32 bits as "any".
const SEED_BITS: u64 = 0x7fff_ffff;

/// How to pick the next token, and when to stop.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sampling {
    /// 0 to 2; 0 takes the likeliest token.
    pub(super) temperature: f64,
    /// 0 to 1.
    pub(super) top_p: f64,
    /// The likeliest so many; 0 is off.
    pub(super) top_k: u32,
    /// 0 to 1; 0 is off.
    pub(super) min_p: f64,
    /// -2 to 2; 0 is off.
    pub(super) frequency_penalty: f64,
    /// -2 to 2; 0 is off.
    pub(super) presence_penalty: f64,
    /// Above 0, up to 2; 1 is off.
    pub(super) repetition_penalty: f64,
    /// Token ids, each with -100 to 100.
    pub(super) logit_bias: Vec<(u32, f64)>,
    /// 31 bits.
    pub(super) seed: u32,
    /// Texts before which the answer ends.
    pub(super) stop: Vec<String>,
    /// At least one, and no more than the context has.
    pub(super) max_tokens: u32,
}

impl Sampling {
    /// Reads a request. `seed` is used if the request has none.
    pub(super) fn parse(
        request: &Object,
        model: &Model,
        serving: &Serving,
        seed: u32,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            temperature: number(request, "temperature", 0.0, 2.0)?.unwrap_or(1.0),
            top_p: number(request, "top_p", 0.0, 1.0)?.unwrap_or(1.0),
            top_k: top_k(request)?,
            min_p: number(request, "min_p", 0.0, 1.0)?.unwrap_or(0.0),
            frequency_penalty: number(request, "frequency_penalty", -2.0, 2.0)?.unwrap_or(0.0),
            presence_penalty: number(request, "presence_penalty", -2.0, 2.0)?.unwrap_or(0.0),
            repetition_penalty: repetition_penalty(request)?,
            logit_bias: logit_bias(request)?,
            seed: request_seed(request)?.unwrap_or_else(|| folded(u64::from(seed))),
            stop: stop(request)?,
            max_tokens: max_tokens(request, model.context, serving.default_max_tokens)?,
        })
    }

    /// The same for another choice of the same request.
    #[must_use]
    pub(super) fn of_choice(&self, choice: u32) -> Self {
        let seed = folded(u64::from(self.seed.wrapping_add(choice)));
        Self {
            seed,
            ..self.clone()
        }
    }
}

/// How many choices are wanted.
pub(super) fn choices(request: &Object) -> Result<u32, ApiError> {
    Ok(whole(request, "n", 1, MAX_CHOICES)?.unwrap_or(1))
}

fn top_k(request: &Object) -> Result<u32, ApiError> {
    match given(request, "top_k").map(whole_number) {
        None | Some(Some(-1)) => Ok(0),
        _ => Ok(whole(request, "top_k", 0, 1 << 20)?.unwrap_or(0)),
    }
}

/// vLLM's name and llama-server's.
fn repetition_penalty(request: &Object) -> Result<f64, ApiError> {
    for key in ["repetition_penalty", "repeat_penalty"] {
        if let Some(penalty) = number(request, key, 0.01, 2.0)? {
            return Ok(penalty);
        }
    }
    Ok(1.0)
}

fn logit_bias(request: &Object) -> Result<Vec<(u32, f64)>, ApiError> {
    let Some(value) = given(request, "logit_bias") else {
        return Ok(Vec::new());
    };
    let wrong = |message: String| ApiError::invalid("logit_bias", message);
    let table = match value {
        Value::Array(list) if list.is_empty() => return Ok(Vec::new()),
        value => object(value, "logit_bias")?,
    };
    if table.len() > MAX_BIASES {
        let message = format!(
            "logit_bias has {} tokens; the limit is {MAX_BIASES}",
            table.len()
        );
        return Err(wrong(message));
    }
    let entry = |(id, bias): (&String, &Value)| {
        let id = id.parse().ok().filter(|id| *id <= i32::MAX.cast_unsigned());
        let bias = bias.as_f64().filter(|bias| (-100.0..=100.0).contains(bias));
        id.zip(bias)
    };
    table
        .iter()
        .map(|pair| {
            entry(pair).ok_or_else(|| {
                wrong("logit_bias does not map token ids, such as \"50256\", to numbers from -100 to 100".to_owned())
            })
        })
        .collect()
}

/// As many as are asked for, but never more than the context has: a client that asks for more wants all that it can get. -1
/// asks for as many as fit, as at llama-server.
fn max_tokens(request: &Object, context: u32, usual: u32) -> Result<u32, ApiError> {
    // The newer name wins if a client sends both.
    for key in ["max_completion_tokens", "max_tokens"] {
        if let Some(value) = given(request, key) {
            return match whole_number(value) {
                Some(-1) => Ok(context),
                Some(wanted @ 1..) => Ok(u32::try_from(wanted).unwrap_or(context).min(context)),
                _ => {
                    let message = format!(
                        "{key} is not a whole number from 1 up; leave it out for this server's default, or send -1 for as many as fit"
                    );
                    Err(ApiError::invalid(key, message))
                }
            };
        }
    }
    Ok(usual.min(context))
}

/// OpenAI's seeds have 64 bits, the engines' fewer: the halves are folded, so that small seeds stay what they are.
fn request_seed(request: &Object) -> Result<Option<u32>, ApiError> {
    let Some(value) = given(request, "seed") else {
        return Ok(None);
    };
    let seed = whole_number(value)
        .and_then(|seed| {
            let negative = i64::try_from(seed).map(i64::cast_unsigned);
            u64::try_from(seed).or(negative).ok()
        })
        .ok_or_else(|| ApiError::invalid("seed", "seed is not a whole number of 64 bits"))?;
    Ok(Some(folded(seed)))
}

fn folded(seed: u64) -> u32 {
    let folded = (seed ^ (seed >> 32)) & SEED_BITS;
    u32::try_from(folded).unwrap_or_default()
}

fn stop(request: &Object) -> Result<Vec<String>, ApiError> {
    let wrong = |message: String| Err(ApiError::invalid("stop", message));
    let list = match given(request, "stop") {
        None => return Ok(Vec::new()),
        Some(Value::String(text)) => return stop_texts(vec![text.clone()]),
        Some(Value::Array(list)) => list,
        Some(_) => return wrong("stop is neither a string nor an array of strings".to_owned()),
    };
    if list.len() > MAX_STOPS {
        return wrong(format!(
            "stop has {} strings; the limit is {MAX_STOPS}",
            list.len()
        ));
    }
    let texts: Option<Vec<String>> = list
        .iter()
        .map(|text| text.as_str().map(str::to_owned))
        .collect();
    match texts {
        Some(texts) => stop_texts(texts),
        None => wrong("stop is neither a string nor an array of strings".to_owned()),
    }
}

fn stop_texts(texts: Vec<String>) -> Result<Vec<String>, ApiError> {
    let wrong = |message: String| Err(ApiError::invalid("stop", message));
    if texts.iter().any(String::is_empty) {
        return wrong(
            "stop has an empty string, which would end every answer before it begins; leave it out"
                .to_owned(),
        );
    }
    if texts.iter().any(|text| text.len() > MAX_STOP) {
        return wrong(format!("a string in stop is longer than {MAX_STOP} bytes"));
    }
    Ok(texts)
}
