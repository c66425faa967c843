//! How likely the tokens were: as engines say it, matched with the text that the client gets, and in OpenAI's two shapes.
//!
//! Engines send probabilities of tokens that are not in the text: the end of an answer, what comes before its beginning, a stop
//! text. Only those of the text are passed on.

use std::collections::VecDeque;

use serde_json::{Value, json};

/// The least that is said: `-inf` is not JSON. OpenAI's own number for it.
const LEAST: f64 = -9999.0;
/// The most alternatives, as at OpenAI.
pub(super) const MAX_ALTERNATIVES: u32 = 20;

/// A token and its logarithmic probability.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Likelihood {
    pub(super) token: String,
    /// Its own bytes, which need not be whole characters.
    pub(super) bytes: Vec<u8>,
    pub(super) logprob: f64,
}

/// A token of the answer, and what else could have been there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) chosen: Likelihood,
    pub(super) alternatives: Vec<Likelihood>,
}

impl Likelihood {
    /// Reads `{token, bytes, logprob}`.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let token = value.get("token")?.as_str()?.to_owned();
        let bytes = match value.get("bytes") {
            None | Some(Value::Null) => token.clone().into_bytes(),
            Some(bytes) => bytes
                .as_array()?
                .iter()
                .map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()))
                .collect::<Option<_>>()?,
        };
        Some(Self {
            token,
            bytes,
            logprob: logprob(value.get("logprob")?)?,
        })
    }

    /// One of `token_logprobs` and `tokens`.
    pub(super) fn of(token: &str, value: &Value) -> Option<Self> {
        Some(Self {
            token: token.to_owned(),
            bytes: token.as_bytes().to_vec(),
            logprob: logprob(value)?,
        })
    }

    fn to_json(&self) -> Value {
        json!({"token": self.token, "logprob": self.logprob, "bytes": self.bytes})
    }
}

fn logprob(value: &Value) -> Option<f64> {
    match value {
        // What `-inf` becomes in JSON.
        Value::Null => Some(LEAST),
        value => Some(value.as_f64()?.clamp(LEAST, 0.0)),
    }
}

/// Matches tokens with the text that is passed on.
#[derive(Debug, Default)]
pub(super) struct Aligner {
    tokens: VecDeque<Token>,
    text: Vec<u8>,
}

impl Aligner {
    /// Takes the next tokens and the next text, which need not come together. Returns the tokens whose text has come.
    pub(super) fn follow(&mut self, tokens: Vec<Token>, text: &str) -> Vec<Token> {
        self.tokens.extend(tokens);
        self.text.extend_from_slice(text.as_bytes());
        let mut matched = Vec::new();
        while let Some(token) = self.tokens.front() {
            let bytes = &token.chosen.bytes;
            let common = bytes.len().min(self.text.len());
            if bytes.get(..common) != self.text.get(..common) || bytes.is_empty() {
                self.tokens.pop_front();
            } else if common < bytes.len() {
                break;
            } else {
                self.text.drain(..common);
                matched.extend(self.tokens.pop_front());
            }
        }
        matched
    }
}

/// `logprobs` of a chat completion's choice. `alternatives` is `top_logprobs`.
pub(super) fn of_chat(tokens: &[Token], alternatives: u32) -> Value {
    let content: Vec<Value> = tokens
        .iter()
        .map(|token| {
            let mut value = token.chosen.to_json();
            value["top_logprobs"] = first(token, alternatives)
                .map(Likelihood::to_json)
                .collect();
            value
        })
        .collect();
    json!({"content": content, "refusal": null})
}

/// `logprobs` of a text completion's choice; `offset` is where the first token begins, in characters.
pub(super) fn of_text(tokens: &[Token], alternatives: u32, offset: usize) -> Value {
    let mut at = offset;
    let offsets: Vec<usize> = tokens
        .iter()
        .map(|token| {
            let begins = at;
            at = at.saturating_add(token.chosen.token.chars().count());
            begins
        })
        .collect();
    let words: Vec<&str> = tokens
        .iter()
        .map(|token| token.chosen.token.as_str())
        .collect();
    let likely: Vec<f64> = tokens.iter().map(|token| token.chosen.logprob).collect();
    let tops: Vec<Value> = tokens
        .iter()
        .map(|token| {
            let pairs =
                first(token, alternatives).map(|other| (other.token.clone(), json!(other.logprob)));
            Value::Object(pairs.collect())
        })
        .collect();
    json!({"tokens": words, "token_logprobs": likely, "top_logprobs": tops, "text_offset": offsets})
}

fn first(token: &Token, alternatives: u32) -> impl Iterator<Item = &Likelihood> {
    token.alternatives.iter().take(alternatives as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token {
            chosen: Likelihood::of(text, &json!(-0.5)).unwrap(),
            alternatives: vec![
                Likelihood::of(text, &json!(-0.5)).unwrap(),
                Likelihood::of("other", &json!(null)).unwrap(),
            ],
        }
    }

    fn words(tokens: &[Token]) -> Vec<&str> {
        tokens
            .iter()
            .map(|token| token.chosen.token.as_str())
            .collect()
    }

    #[test]
    fn tokens_that_are_not_in_the_text_are_left_out() {
        let mut aligner = Aligner::default();
        let tokens = vec![token("Hello"), token("{\""), token("a")];
        assert_eq!(words(&aligner.follow(tokens, "{\"a")), ["{\"", "a"]);
        assert_eq!(words(&aligner.follow(vec![token("")], "\"}")), [""; 0]);
        assert_eq!(words(&aligner.follow(vec![token("\"}")], "")), ["\"}"]);
    }

    #[test]
    fn half_a_character_waits_for_the_other_half() {
        let mut aligner = Aligner::default();
        let half = |byte: u8| Token {
            chosen: Likelihood {
                token: "\u{fffd}".into(),
                bytes: vec![byte],
                logprob: -1.0,
            },
            alternatives: Vec::new(),
        };
        assert_eq!(aligner.follow(vec![half(0xC3)], "").len(), 0);
        assert_eq!(aligner.follow(vec![half(0xA9)], "é").len(), 2);
    }

    #[test]
    fn both_shapes_have_all_that_clients_read() {
        let tokens = [token("é"), token("!")];
        assert_eq!(
            of_chat(&tokens, 2)["content"][0],
            json!({"token": "é", "logprob": -0.5, "bytes": [195, 169], "top_logprobs": [
                {"token": "é", "logprob": -0.5, "bytes": [195, 169]},
                {"token": "other", "logprob": -9999.0, "bytes": [111, 116, 104, 101, 114]},
            ]})
        );
        assert_eq!(of_chat(&tokens, 0)["content"][0]["top_logprobs"], json!([]));
        assert_eq!(
            of_text(&tokens, 1, 3),
            json!({"tokens": ["é", "!"], "token_logprobs": [-0.5, -0.5], "top_logprobs": [{"é": -0.5}, {"!": -0.5}],
                "text_offset": [3, 4]})
        );
    }

    #[test]
    fn what_is_no_likelihood_is_not_read() {
        for value in [
            json!(5),
            json!({"token": 5, "logprob": -1}),
            json!({"token": "a"}),
            json!({"token": "a", "logprob": "x"}),
            json!({"token": "a", "bytes": [256], "logprob": -1}),
        ] {
            assert_eq!(Likelihood::read(&value), None, "{value}");
        }
    }
}
