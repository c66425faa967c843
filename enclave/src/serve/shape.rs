//! Answers as OpenAI's clients read them: one object, or a chunk for each part. Nothing in them is an engine's but text,
//! likelihoods and reasons.

use std::time::{SystemTime, UNIX_EPOCH};

use ring::digest;
use serde_json::{Value, json};

use super::{
    choice::Piece,
    logprobs::{Token, of_chat, of_text},
    part::Counts,
};

/// What every part of one answer repeats.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    /// Random, in hexadecimal.
    pub(super) id: String,
    pub(super) model: String,
    /// Names the configuration, so that a client sees when it changes.
    pub(super) fingerprint: String,
    pub(super) created: u64,
}

/// Which kind of completion it is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Chat,
    /// The prompts, if they are to be repeated before their answers.
    Text {
        echo: Option<Vec<String>>,
    },
}

/// Makes an answer's objects.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) envelope: Envelope,
    pub(super) kind: Kind,
    /// Alternatives to say for each token, if its likelihood is wanted.
    pub(super) logprobs: Option<u32>,
    /// Whether a last chunk counts tokens.
    pub(super) with_usage: bool,
    /// Choices for each prompt.
    pub(super) choices: u32,
    /// Choices that have begun, with how many characters of each were sent.
    pub(super) begun: Vec<Option<usize>>,
}

/// A choice that is sent in one piece.
#[derive(Debug, Default, Clone)]
pub(super) struct Collected {
    text: String,
    tokens: Vec<Token>,
    /// Names and arguments.
    calls: Vec<(String, String)>,
    reason: &'static str,
    stop: Option<String>,
}

impl Envelope {
    pub(super) fn new(random: [u8; 12], model: &str, fingerprint: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            id: hex::encode(random),
            model: model.to_owned(),
            fingerprint: fingerprint.to_owned(),
            created: now.unwrap_or_default().as_secs(),
        }
    }

    /// An id for a call, known to nobody before.
    fn call_id(&self, choice: usize, call: usize) -> String {
        let text = format!("{} {choice} {call}", self.id);
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        let digest = hex::encode(digest);
        format!("call_{}", digest.get(..24).unwrap_or_default())
    }
}

impl Shape {
    fn object(&self, whole: bool, choices: &Value) -> Value {
        let (prefix, object) = match (&self.kind, whole) {
            (Kind::Chat, true) => ("chatcmpl", "chat.completion"),
            (Kind::Chat, false) => ("chatcmpl", "chat.completion.chunk"),
            (Kind::Text { .. }, _) => ("cmpl", "text_completion"),
        };
        json!({
            "id": format!("{prefix}-{}", self.envelope.id),
            "object": object,
            "created": self.envelope.created,
            "model": self.envelope.model,
            "system_fingerprint": self.envelope.fingerprint,
            "choices": choices,
        })
    }

    /// The chunks for a part of a choice.
    pub(super) fn chunks(&mut self, choice: usize, piece: &Piece) -> Vec<Value> {
        let mut chunks = self.begin(choice, piece);
        chunks.push(match self.kind {
            Kind::Chat => self.chat_chunk(choice, piece),
            Kind::Text { .. } => self.text_chunk(choice, piece),
        });
        chunks
    }

    /// The last chunk, if there is one more.
    pub(super) fn usage_chunk(&self, counts: Counts) -> Option<Value> {
        self.with_usage.then(|| {
            let mut chunk = self.object(false, &json!([]));
            chunk["usage"] = usage(counts);
            chunk
        })
    }

    /// The first chunk of a choice, once: whose turn it is, or the prompt.
    fn begin(&mut self, choice: usize, piece: &Piece) -> Vec<Value> {
        if choice >= self.begun.len() {
            self.begun.resize(choice.saturating_add(1), None);
        }
        let echo = self.echo(choice).map(str::to_owned);
        let Some(begun @ None) = self.begun.get_mut(choice) else {
            return Vec::new();
        };
        let sent = echo.as_deref().unwrap_or_default().chars().count();
        *begun = Some(sent);
        match self.kind {
            Kind::Chat => {
                let content = match piece {
                    Piece::Call { .. } => Value::Null,
                    _ => json!(""),
                };
                let role = json!({"role": "assistant", "content": content, "refusal": null});
                vec![self.delta(choice, &role, &Value::Null)]
            }
            Kind::Text { .. } => {
                let echo = echo.filter(|echo| !echo.is_empty());
                let echo = echo.map(|echo| self.text(choice, &echo, &Value::Null));
                echo.into_iter().collect()
            }
        }
    }

    fn echo(&self, choice: usize) -> Option<&str> {
        let Kind::Text {
            echo: Some(prompts),
        } = &self.kind
        else {
            return None;
        };
        let prompt = prompts.get(choice / (self.choices as usize).max(1));
        prompt.map(String::as_str)
    }

    fn chat_chunk(&self, choice: usize, piece: &Piece) -> Value {
        let call = |call: usize, fields: Value| {
            let mut delta = json!({"index": call});
            if let (Value::Object(delta), Value::Object(fields)) = (&mut delta, fields) {
                delta.extend(fields);
            }
            json!({"tool_calls": [delta]})
        };
        match piece {
            Piece::Text { text, tokens } => {
                let logprobs = self.logprobs.map(|most| of_chat(tokens, most));
                let delta = json!({"content": text});
                self.delta(choice, &delta, &logprobs.unwrap_or_default())
            }
            Piece::Call { call: index, name } => {
                let delta = call(
                    *index,
                    json!({
                        "id": self.envelope.call_id(choice, *index),
                        "type": "function",
                        "function": {"name": name, "arguments": ""},
                    }),
                );
                self.delta(choice, &delta, &Value::Null)
            }
            Piece::Arguments { call: index, text } => {
                let delta = call(*index, json!({"function": {"arguments": text}}));
                self.delta(choice, &delta, &Value::Null)
            }
            Piece::Finished { reason, stop } => {
                let delta = json!({"index": choice, "delta": {}, "logprobs": null});
                self.chunk(&ended(delta, reason, stop.as_deref()))
            }
        }
    }

    fn delta(&self, choice: usize, delta: &Value, logprobs: &Value) -> Value {
        self.chunk(&json!({
            "index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": null,
        }))
    }

    fn text_chunk(&mut self, choice: usize, piece: &Piece) -> Value {
        match piece {
            Piece::Text { text, tokens } => {
                let logprobs = self.text_logprobs(choice, tokens);
                if let Some(Some(sent)) = self.begun.get_mut(choice) {
                    *sent = sent.saturating_add(text.chars().count());
                }
                self.text(choice, text, &logprobs)
            }
            Piece::Finished { reason, stop } => {
                let text = json!({"index": choice, "text": "", "logprobs": null});
                self.chunk(&ended(text, reason, stop.as_deref()))
            }
            // A text completion calls nothing.
            Piece::Call { .. } | Piece::Arguments { .. } => self.text(choice, "", &Value::Null),
        }
    }

    fn text_logprobs(&self, choice: usize, tokens: &[Token]) -> Value {
        let sent = self.begun.get(choice).copied().flatten();
        let logprobs = self
            .logprobs
            .map(|most| of_text(tokens, most, sent.unwrap_or(0)));
        logprobs.unwrap_or_default()
    }

    fn text(&self, choice: usize, text: &str, logprobs: &Value) -> Value {
        self.chunk(&json!({
            "index": choice, "text": text, "logprobs": logprobs, "finish_reason": null,
        }))
    }

    /// If a last chunk with token counts was requested, every other chunk says that it has none.
    fn chunk(&self, choice: &Value) -> Value {
        let mut chunk = self.object(false, &json!([choice]));
        if self.with_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    /// The one object of an answer in one piece.
    pub(super) fn whole(&self, choices: Vec<Collected>, counts: Counts) -> Value {
        let choices = choices.into_iter().enumerate();
        let choices: Vec<Value> = choices
            .map(|(index, choice)| match self.kind {
                Kind::Chat => self.chat_choice(index, choice),
                Kind::Text { .. } => self.text_choice(index, &choice),
            })
            .collect();
        let mut whole = self.object(true, &json!(choices));
        whole["usage"] = usage(counts);
        whole
    }

    fn chat_choice(&self, index: usize, choice: Collected) -> Value {
        let mut message = json!({"role": "assistant", "content": choice.text, "refusal": null});
        if !choice.calls.is_empty() {
            message["content"] = Value::Null;
            let calls = choice.calls.into_iter().enumerate();
            message["tool_calls"] = calls
                .map(|(call, (name, arguments))| {
                    json!({
                        "id": self.envelope.call_id(index, call),
                        "type": "function",
                        "function": {"name": name, "arguments": arguments},
                    })
                })
                .collect();
        }
        let logprobs = self.logprobs.map(|most| of_chat(&choice.tokens, most));
        let said = json!({"index": index, "message": message, "logprobs": logprobs});
        ended(said, choice.reason, choice.stop.as_deref())
    }

    fn text_choice(&self, index: usize, choice: &Collected) -> Value {
        let echo = self.echo(index).unwrap_or_default();
        let offset = echo.chars().count();
        let logprobs = self
            .logprobs
            .map(|most| of_text(&choice.tokens, most, offset));
        let text = format!("{echo}{}", choice.text);
        let said = json!({"index": index, "text": text, "logprobs": logprobs});
        ended(said, choice.reason, choice.stop.as_deref())
    }
}

impl Collected {
    /// Adds a part.
    pub(super) fn add(&mut self, piece: Piece) {
        match piece {
            Piece::Text { text, tokens } => {
                self.text.push_str(&text);
                self.tokens.extend(tokens);
            }
            Piece::Call { name, .. } => self.calls.push((name, String::new())),
            Piece::Arguments { text, .. } => {
                if let Some((_, arguments)) = self.calls.last_mut() {
                    arguments.push_str(&text);
                }
            }
            Piece::Finished { reason, stop } => {
                self.reason = reason;
                self.stop = stop;
            }
        }
    }
}

/// A choice, and why it ended. Which stop text ended it is not in OpenAI's answers; here it is called what vLLM calls it.
fn ended(mut choice: Value, reason: &str, stop: Option<&str>) -> Value {
    choice["finish_reason"] = json!(reason);
    if let Some(stop) = stop {
        choice["stop_reason"] = json!(stop);
    }
    choice
}

fn usage(counts: Counts) -> Value {
    json!({
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.completion,
        "total_tokens": u64::from(counts.prompt).saturating_add(u64::from(counts.completion)),
        "prompt_tokens_details": {"cached_tokens": counts.cached},
    })
}
