//! The engine's answer as OpenAI's clients read it: one object, or a stream of server-sent events.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use chrysalis_wire::engine::{FinishReason, GenerateError};
use futures_util::stream;
use hyper::{Response, StatusCode, body::Frame};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use super::{
    answer::{self, Body, Broken, Pieces},
    error::ApiError,
};
use crate::engine::Event;

/// How long a stream's head waits for the answer to begin, so that what is refused at once still gets a status of its own.
/// After that the head is sent, because a client that hears nothing gives up.
const FIRST_WORD: Duration = Duration::from_millis(300);
/// How long a stream is silent before a comment shows that it is alive.
const SILENCE: Duration = Duration::from_secs(10);
/// A comment, which clients skip.
const COMMENT: &str = ": still here\n\n";
/// The end of a complete stream.
const DONE: &str = "data: [DONE]\n\n";

/// What every part of one answer repeats.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) id: String,
    pub(super) model: String,
    /// Names the configuration, so that a client sees when it changes.
    pub(super) fingerprint: String,
    pub(super) created: u64,
}

impl Envelope {
    pub(super) fn new(random: [u8; 12], model: &str, fingerprint: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            id: format!("chatcmpl-{}", hex::encode(random)),
            model: model.to_owned(),
            fingerprint: fingerprint.to_owned(),
            created: now.unwrap_or_default().as_secs(),
        }
    }

    fn chunk(&self, choices: &Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        })
    }
}

/// Collects the answer into one object.
pub(super) async fn whole(
    envelope: Envelope,
    mut events: mpsc::Receiver<Event>,
) -> Result<Response<Body>, ApiError> {
    let mut content = String::new();
    loop {
        match events.recv().await {
            Some(Event::Piece { text, .. }) => content.push_str(&text),
            Some(Event::Finished {
                reason,
                prompt_tokens,
                completion_tokens,
            }) => {
                let completion = json!({
                    "id": envelope.id,
                    "object": "chat.completion",
                    "created": envelope.created,
                    "model": envelope.model,
                    "system_fingerprint": envelope.fingerprint,
                    "choices": [{
                        "index": 0,
                        "message": {"role": "assistant", "content": content, "refusal": null},
                        "logprobs": null,
                        "finish_reason": finish_reason(reason)?,
                    }],
                    "usage": usage(prompt_tokens, completion_tokens),
                });
                return Ok(answer::json(StatusCode::OK, &completion));
            }
            Some(Event::Refused(error)) => return Err(refused(&error)),
            Some(Event::NoEngine) => return Err(ApiError::no_engine()),
            Some(Event::Cut(cut)) => return Err(ApiError::cut(cut)),
            None => return Err(ApiError::broken()),
        }
    }
}

/// Streams the answer. A failure within [`FIRST_WORD`] is still an error with a status of its own.
pub(super) async fn stream(
    envelope: Envelope,
    mut events: mpsc::Receiver<Event>,
    with_usage: bool,
) -> Result<Response<Body>, ApiError> {
    let first = match timeout(FIRST_WORD, events.recv()).await {
        Ok(None) => return Err(ApiError::broken()),
        Ok(Some(Event::Refused(error))) => return Err(refused(&error)),
        Ok(Some(Event::NoEngine)) => return Err(ApiError::no_engine()),
        Ok(Some(Event::Cut(cut))) => return Err(ApiError::cut(cut)),
        Ok(Some(event)) => Some(event),
        Err(_) => None,
    };
    let mut chunks = Chunks {
        envelope,
        with_usage,
        begun: false,
    };
    let (opening, state) = match first.map(|event| chunks.follow(event)) {
        None => (COMMENT.to_owned(), State::Open),
        Some(Step::More(text)) => (text, State::Open),
        Some(Step::Last(text)) => (text, State::Closed),
    };
    let start = Streaming {
        chunks,
        events,
        opening,
        state,
    };
    let pieces: Pieces = Box::pin(stream::unfold(start, Streaming::next));
    Ok(answer::events(pieces))
}

struct Streaming {
    chunks: Chunks,
    events: mpsc::Receiver<Event>,
    opening: String,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Open,
    Closed,
}

/// What an event does to the stream.
enum Step {
    More(String),
    Last(String),
}

impl Streaming {
    async fn next(mut self) -> Option<(Result<Frame<Bytes>, Broken>, Self)> {
        if !self.opening.is_empty() {
            let opening = std::mem::take(&mut self.opening);
            return Some((Ok(Frame::data(opening.into())), self));
        }
        if self.state == State::Closed {
            return None;
        }
        let text = match timeout(SILENCE, self.events.recv()).await {
            Err(_) => COMMENT.to_owned(),
            Ok(event) => {
                let step = match event {
                    Some(event) => self.chunks.follow(event),
                    None => Step::Last(data(&ApiError::broken().to_json())),
                };
                match step {
                    Step::More(text) => text,
                    Step::Last(text) => {
                        self.state = State::Closed;
                        text
                    }
                }
            }
        };
        Some((Ok(Frame::data(text.into())), self))
    }
}

/// What a stream is made of.
struct Chunks {
    envelope: Envelope,
    with_usage: bool,
    /// Whether the first chunk, which says whose turn it is, has been sent.
    begun: bool,
}

impl Chunks {
    /// An error in mid-stream is an event of its own, and no `[DONE]` follows: the client knows that the answer is incomplete.
    fn follow(&mut self, event: Event) -> Step {
        match event {
            Event::Piece { text, .. } => {
                let mut chunks = self.begin();
                if text.is_empty() {
                    chunks.push_str(COMMENT);
                } else {
                    chunks.push_str(&self.delta(&json!({"content": text}), None));
                }
                Step::More(chunks)
            }
            Event::Refused(error) => Step::Last(data(&refused(&error).to_json())),
            Event::NoEngine => Step::Last(data(&ApiError::no_engine().to_json())),
            Event::Cut(cut) => Step::Last(data(&ApiError::cut(cut).to_json())),
            Event::Finished {
                reason,
                prompt_tokens,
                completion_tokens,
            } => match finish_reason(reason) {
                Err(error) => Step::Last(data(&error.to_json())),
                Ok(reason) => {
                    let mut end = self.begin();
                    end.push_str(&self.delta(&json!({}), Some(reason)));
                    if self.with_usage {
                        let mut chunk = self.envelope.chunk(&json!([]));
                        chunk["usage"] = usage(prompt_tokens, completion_tokens);
                        end.push_str(&data(&chunk));
                    }
                    end.push_str(DONE);
                    Step::Last(end)
                }
            },
        }
    }

    /// The first chunk, once.
    fn begin(&mut self) -> String {
        if std::mem::replace(&mut self.begun, true) {
            return String::new();
        }
        let role = json!({"role": "assistant", "content": "", "refusal": null});
        self.delta(&role, None)
    }

    /// A chunk of the answer. If a last chunk with token counts was requested, every other chunk says that it has none.
    fn delta(&self, delta: &Value, reason: Option<&str>) -> String {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason});
        let mut chunk = self.envelope.chunk(&json!([choice]));
        if self.with_usage {
            chunk["usage"] = Value::Null;
        }
        data(&chunk)
    }
}

fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn finish_reason(reason: FinishReason) -> Result<&'static str, ApiError> {
    match reason {
        FinishReason::Stop => Ok("stop"),
        FinishReason::Length => Ok("length"),
        FinishReason::Cancelled => Err(ApiError::broken()),
    }
}

fn usage(prompt_tokens: u32, completion_tokens: u32) -> Value {
    json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": u64::from(prompt_tokens).saturating_add(u64::from(completion_tokens)),
    })
}

/// The engine's own words stay inside: they may quote the prompt, and the client knows that already.
fn refused(error: &GenerateError) -> ApiError {
    match error {
        GenerateError::ContextExceeded {
            prompt_tokens,
            context,
        } => ApiError::context_exceeded(*prompt_tokens, *context),
        GenerateError::Template(_) => ApiError::invalid(
            "messages",
            "the model's chat template does not take these messages in this order",
        ),
        _ => ApiError::broken(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            id: "chatcmpl-1".into(),
            model: "tiny".into(),
            fingerprint: "fp_1".into(),
            created: 1,
        }
    }

    async fn streamed(events: &[Event], with_usage: bool) -> Result<String, ApiError> {
        use http_body_util::BodyExt;
        let (sender, receiver) = mpsc::channel(16);
        for event in events {
            sender.send(event.clone()).await.unwrap();
        }
        drop(sender);
        let response = stream(envelope(), receiver, with_usage).await?;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Ok(String::from_utf8(body.to_vec()).unwrap())
    }

    fn piece(text: &str) -> Event {
        Event::Piece {
            tokens: vec![1],
            text: text.into(),
        }
    }

    fn finished(reason: FinishReason) -> Event {
        Event::Finished {
            reason,
            prompt_tokens: 3,
            completion_tokens: 2,
        }
    }

    #[tokio::test]
    async fn a_stream_has_role_deltas_finish_usage_and_done() {
        let text = streamed(
            &[piece("a"), piece("é"), finished(FinishReason::Stop)],
            true,
        )
        .await
        .unwrap();
        let lines: Vec<&str> = text.split("\n\n").filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 6, "{text}");
        let chunk = |line: &str| -> Value {
            serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap()
        };
        for line in &lines[..4] {
            assert_eq!(chunk(line).get("usage"), Some(&Value::Null), "{line}");
        }
        assert_eq!(chunk(lines[0])["choices"][0]["delta"]["role"], "assistant");
        assert_eq!(chunk(lines[1])["choices"][0]["delta"]["content"], "a");
        assert_eq!(chunk(lines[2])["choices"][0]["delta"]["content"], "é");
        assert_eq!(chunk(lines[3])["choices"][0]["finish_reason"], "stop");
        assert_eq!(chunk(lines[4])["choices"], json!([]));
        assert_eq!(chunk(lines[4])["usage"]["total_tokens"], 5);
        assert_eq!(lines[5], "data: [DONE]");
    }

    #[tokio::test]
    async fn usage_is_named_only_where_it_is_asked_for() {
        let text = streamed(&[piece("a"), finished(FinishReason::Stop)], false)
            .await
            .unwrap();
        assert!(!text.contains("usage"), "{text}");
    }

    /// The pause of the clock moves on by itself when there is nothing else to do.
    #[tokio::test(start_paused = true)]
    async fn the_head_of_a_stream_goes_out_while_the_answer_waits() {
        use http_body_util::BodyExt;
        let (sender, receiver) = mpsc::channel(16);
        let response = stream(envelope(), receiver, false).await.unwrap();
        let kind = &response.headers()["content-type"];
        assert_eq!(kind, "text/event-stream; charset=utf-8");
        let mut body = response.into_body();
        let mut next = async || {
            let frame = body.frame().await?.unwrap();
            Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
        };
        for _ in 0..3 {
            assert_eq!(next().await.unwrap(), COMMENT);
        }
        sender.send(piece("a")).await.unwrap();
        let begun = next().await.unwrap();
        assert!(
            begun.contains("\"role\"") && begun.contains("\"a\""),
            "{begun}"
        );
        let refused = Event::Refused(GenerateError::Template("no".into()));
        sender.send(refused).await.unwrap();
        let error = next().await.unwrap();
        assert!(error.starts_with("data: {\"error\""), "{error}");
        assert_eq!(next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_after_the_head_went_out_is_an_event_and_no_turn() {
        use http_body_util::BodyExt;
        let (sender, receiver) = mpsc::channel(16);
        let response = stream(envelope(), receiver, true).await.unwrap();
        let long = GenerateError::ContextExceeded {
            prompt_tokens: 100,
            context: 64,
        };
        sender.send(Event::Refused(long)).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("context_length_exceeded"), "{text}");
        assert!(
            !text.contains("\"role\"") && !text.contains("[DONE]"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_stream_that_breaks_says_so_and_is_never_done() {
        let text = streamed(&[piece("a")], false).await.unwrap();
        assert!(text.contains("incomplete_answer"), "{text}");
        assert!(!text.contains("[DONE]"), "{text}");
    }

    #[tokio::test]
    async fn a_prompt_that_does_not_fit_has_a_status_of_its_own() {
        let long = GenerateError::ContextExceeded {
            prompt_tokens: 100,
            context: 64,
        };
        let error = streamed(&[Event::Refused(long)], false).await.unwrap_err();
        assert_eq!(
            (error.status.as_u16(), error.code),
            (400, "context_length_exceeded")
        );
        assert!(
            error.message.contains("100") && error.message.contains("64"),
            "{}",
            error.message
        );
    }

    #[tokio::test]
    async fn what_the_engine_says_of_its_faults_stays_inside() {
        let quoting = GenerateError::Internal("the prompt was: secret".into());
        let error = streamed(&[Event::Refused(quoting)], false)
            .await
            .unwrap_err();
        assert!(!error.to_json().to_string().contains("secret"));
    }
}
