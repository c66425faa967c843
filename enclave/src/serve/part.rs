//! One event of an engine's answer, checked: an engine is believed nothing beyond the shape that its events must have.

use serde_json::Value;

use super::logprobs::{Likelihood, MAX_ALTERNATIVES, Token};

/// The most bytes of text in one event, and of one token.
const MAX_PIECE: usize = 4 * 1024;
/// The most tokens that one event says something about.
const MAX_TOKENS: usize = 1024;
/// The most bytes of an id.
const MAX_ID: usize = 256;

/// Which of an engine's endpoints answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/completions`
    Text,
}

/// Why an engine ended its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
}

/// How many tokens an engine says that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) prompt: u32,
    /// Of the prompt, those that were computed before.
    pub(super) cached: u32,
    pub(super) completion: u32,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Part {
    /// The engine's name for the whole answer.
    pub(super) id: String,
    pub(super) text: String,
    pub(super) tokens: Vec<Token>,
    pub(super) finish: Option<Finish>,
    /// So far, or in the end.
    pub(super) counts: Option<Counts>,
}

/// The event is not what an engine may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misshapen;

impl Part {
    /// Reads an event.
    pub(super) fn read(endpoint: Endpoint, event: &Value) -> Result<Self, Misshapen> {
        Self::of(endpoint, event).ok_or(Misshapen)
    }

    fn of(endpoint: Endpoint, event: &Value) -> Option<Self> {
        if event.get("error").is_some_and(|error| !error.is_null()) {
            return None;
        }
        let id = event.get("id")?.as_str()?;
        let mut part = Self {
            id: id.get(..MAX_ID.min(id.len()))?.to_owned(),
            counts: counts(event)?,
            ..Self::default()
        };
        match event.get("choices")?.as_array()?.as_slice() {
            [] => {}
            [choice] => {
                if choice.get("index")?.as_u64()? != 0 {
                    return None;
                }
                part.text = match endpoint {
                    Endpoint::Chat => delta(choice.get("delta")?)?,
                    Endpoint::Text => choice.get("text")?.as_str()?.to_owned(),
                };
                part.tokens = tokens(choice.get("logprobs"))?;
                part.finish = finish(choice.get("finish_reason"))?;
            }
            _ => return None,
        }
        (part.text.len() <= MAX_PIECE).then_some(part)
    }
}

/// The text of a delta, which has nothing else: an engine here is asked for text alone.
fn delta(delta: &Value) -> Option<String> {
    let mut text = String::new();
    for (key, value) in delta.as_object()? {
        match (key.as_str(), value) {
            (_, Value::Null) => {}
            ("role", Value::String(role)) if role == "assistant" => {}
            ("content", Value::String(content)) => text.clone_from(content),
            ("tool_calls", Value::Array(calls)) if calls.is_empty() => {}
            _ => return None,
        }
    }
    Some(text)
}

#[allow(clippy::option_option, reason = "absent is fine, misshapen is not")]
fn finish(reason: Option<&Value>) -> Option<Option<Finish>> {
    match reason {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(word)) => match word.as_str() {
            "stop" => Some(Some(Finish::Stop)),
            "length" => Some(Some(Finish::Length)),
            _ => None,
        },
        Some(_) => None,
    }
}

fn tokens(logprobs: Option<&Value>) -> Option<Vec<Token>> {
    let logprobs = match logprobs {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(logprobs) => logprobs.as_object()?,
    };
    if let Some(words) = logprobs.get("tokens") {
        let words = words.as_array()?;
        let likely = logprobs.get("token_logprobs")?.as_array()?;
        if words.len() != likely.len() || words.len() > MAX_TOKENS {
            return None;
        }
        let tops = logprobs.get("top_logprobs").and_then(Value::as_array);
        return words
            .iter()
            .zip(likely)
            .enumerate()
            .map(|(at, (word, likely))| {
                Some(Token {
                    chosen: Likelihood::of(word.as_str()?, likely)?,
                    alternatives: legacy_alternatives(tops.and_then(|tops| tops.get(at)))?,
                })
            })
            .collect();
    }
    let content = match logprobs.get("content") {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(content) => content.as_array()?,
    };
    if content.len() > MAX_TOKENS {
        return None;
    }
    let token = |entry: &Value| {
        let tops = match entry.get("top_logprobs") {
            None | Some(Value::Null) => &[][..],
            Some(tops) => tops.as_array()?,
        };
        let tops = tops.iter().take(MAX_ALTERNATIVES as usize);
        let chosen = Likelihood::read(entry)?;
        Some(Token {
            chosen: Some(chosen).filter(|chosen| chosen.token.len() <= MAX_PIECE)?,
            alternatives: tops.map(Likelihood::read).collect::<Option<_>>()?,
        })
    };
    content.iter().map(token).collect()
}

fn legacy_alternatives(tops: Option<&Value>) -> Option<Vec<Likelihood>> {
    match tops {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(tops) => {
            let tops = tops.as_object()?.iter().take(MAX_ALTERNATIVES as usize);
            let mut tops: Vec<_> = tops
                .map(|(token, likely)| Likelihood::of(token, likely))
                .collect::<Option<_>>()?;
            tops.sort_by(|a, b| b.logprob.total_cmp(&a.logprob));
            Some(tops)
        }
    }
}

/// OpenAI's `usage`, or, while an answer is under way, llama-server's `timings`.
#[allow(clippy::option_option, reason = "absent is fine, misshapen is not")]
fn counts(event: &Value) -> Option<Option<Counts>> {
    let number = |table: &Value, key: &str| match table.get(key) {
        None | Some(Value::Null) => Some(0),
        Some(number) => u32::try_from(number.as_u64()?).ok(),
    };
    if let Some(usage) = event.get("usage").filter(|usage| !usage.is_null()) {
        usage.as_object()?;
        let details = usage.get("prompt_tokens_details");
        let cached = details.map_or(Some(0), |details| number(details, "cached_tokens"))?;
        let prompt = number(usage, "prompt_tokens")?;
        return Some(Some(Counts {
            prompt,
            cached: cached.min(prompt),
            completion: number(usage, "completion_tokens")?,
        }));
    }
    let Some(timings) = event.get("timings").filter(|timings| !timings.is_null()) else {
        return Some(None);
    };
    timings.as_object()?;
    let cached = number(timings, "cache_n")?;
    Some(Some(Counts {
        prompt: number(timings, "prompt_n")?.checked_add(cached)?,
        cached,
        completion: number(timings, "predicted_n")?,
    }))
}

#[cfg(test)]
mod tests;
