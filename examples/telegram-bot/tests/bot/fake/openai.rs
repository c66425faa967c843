//! What the proxy answers, by the words of the last message.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Multipart, State},
    http::{HeaderMap, Response, StatusCode},
    routing::post,
};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::serve;

/// How a stream ends.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// As it should, with this `finish_reason` and, where a job was named, this receipt.
    Done(&'static str, Option<String>),
    /// The connection is cut.
    Cut,
    /// The body ends before its last event.
    Early,
    /// An error event with this code, and a cut.
    Error(&'static str),
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// These pieces, each after that time.
    Stream(Vec<String>, Duration, End),
    /// An error status with a code, a type and perhaps a Retry-After.
    Status(u16, &'static str, &'static str, Option<u64>),
}

/// The pieces at once, and a proper end.
pub(crate) fn says(text: &str) -> Reply {
    Reply::Stream(vec![text.into()], Duration::ZERO, End::Done("stop", None))
}

/// A recording that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) model: String,
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

/// A text, and headers.
type Words = (String, Vec<(&'static str, String)>);
type Script = dyn Fn(&str) -> Reply + Send + Sync;

/// The endpoint.
#[derive(Clone)]
pub(crate) struct OpenAi {
    script: Arc<Script>,
    /// What recordings are written down as, and the headers of that answer.
    words: Arc<Mutex<Words>>,
    /// The bodies of the questions.
    pub(crate) asked: Arc<Mutex<Vec<Value>>>,
    pub(crate) heard: Arc<Mutex<Vec<Heard>>>,
    running: Arc<Mutex<(usize, usize)>>,
    pub(crate) url: String,
}

impl OpenAi {
    pub(crate) async fn start(script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let mut openai = Self {
            script: Arc::new(script),
            words: Arc::new(Mutex::new(("What is a chrysalis?".into(), Vec::new()))),
            asked: Arc::default(),
            heard: Arc::default(),
            running: Arc::default(),
            url: String::new(),
        };
        let app = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/audio/transcriptions", post(transcribe))
            .with_state(openai.clone())
            .layer(axum::extract::DefaultBodyLimit::disable());
        openai.url = format!("{}/v1", serve(app).await);
        openai
    }

    pub(crate) fn hears(&self, words: &str, headers: &[(&'static str, String)]) {
        *self.words.lock().unwrap() = (words.into(), headers.to_vec());
    }

    /// The messages of each question.
    pub(crate) fn conversations(&self) -> Vec<Vec<String>> {
        let asked = self.asked.lock().unwrap();
        let contents = |body: &Value| {
            let messages = body["messages"].as_array().unwrap().iter();
            messages
                .map(|it| it["content"].as_str().unwrap().to_owned())
                .collect()
        };
        asked.iter().map(contents).collect()
    }

    /// How many streams there were at once at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.running.lock().unwrap().1
    }
}

/// Counts a stream as long as it lasts.
struct Running(Arc<Mutex<(usize, usize)>>);

impl Running {
    fn new(count: &Arc<Mutex<(usize, usize)>>) -> Self {
        let mut numbers = count.lock().unwrap();
        numbers.0 += 1;
        numbers.1 = numbers.1.max(numbers.0);
        Self(Arc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

async fn chat(
    State(openai): State<OpenAi>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response<Body> {
    let last = body["messages"].as_array().unwrap().last().unwrap()["content"].clone();
    let reply = (openai.script)(last.as_str().unwrap());
    openai.asked.lock().unwrap().push(body);
    let running = Running::new(&openai.running);
    let (pieces, every, end) = match reply {
        Reply::Stream(pieces, every, end) => (pieces, every, end),
        Reply::Status(status, code, kind, wait) => {
            let body =
                json!({"error": {"message": "no", "type": kind, "param": null, "code": code}});
            let mut response = Response::new(Body::from(body.to_string()));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(wait) = wait {
                response.headers_mut().insert("retry-after", wait.into());
            }
            return response;
        }
    };
    let chunk = |delta: Value, reason: Value| {
        let chunk = json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
        Ok(Bytes::from(format!("data: {chunk}\n\n: still here\n\n")))
    };
    let mut events = vec![chunk(
        json!({"role": "assistant", "content": ""}),
        Value::Null,
    )];
    events.extend(
        pieces
            .into_iter()
            .map(|piece| chunk(json!({"content": piece}), Value::Null)),
    );
    let cut = || Err(io::Error::other("cut"));
    match end {
        End::Done(reason, receipt) => {
            events.push(chunk(json!({}), json!(reason)));
            if let Some(receipt) = receipt.filter(|_| headers.contains_key("x-chrysalis-job")) {
                events.push(Ok(format!("event: receipt\ndata: {receipt}\n\n").into()));
            }
            events.push(Ok("data: [DONE]\n\n".into()));
        }
        End::Cut => events.push(cut()),
        End::Early => {}
        End::Error(code) => {
            let error = json!({"error": {"message": "no", "type": "server_error", "param": null, "code": code}});
            events.extend([Ok(format!("data: {error}\n\n").into()), cut()]);
        }
    }
    let stream = stream::unfold(
        (events.into_iter(), running),
        move |(mut events, running)| async move {
            tokio::time::sleep(every).await;
            let event = events.next()?;
            Some((event, (events, running)))
        },
    );
    let mut response = Response::new(Body::from_stream(stream));
    response
        .headers_mut()
        .insert("content-type", "text/event-stream".parse().unwrap());
    response
}

async fn transcribe(State(openai): State<OpenAi>, mut form: Multipart) -> Response<Body> {
    let mut heard = Heard {
        model: String::new(),
        name: String::new(),
        bytes: Bytes::new(),
    };
    while let Some(field) = form.next_field().await.unwrap() {
        match field.name().unwrap() {
            "model" => heard.model = field.text().await.unwrap(),
            "file" => {
                heard.name = field.file_name().unwrap().to_owned();
                heard.bytes = field.bytes().await.unwrap();
            }
            other => panic!("a field {other}"),
        }
    }
    openai.heard.lock().unwrap().push(heard);
    let (words, headers) = openai.words.lock().unwrap().clone();
    let mut response = Response::new(Body::from(json!({"text": words}).to_string()));
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
