//! A function that plays an engine: a real HTTP server on a real Unix socket, without a room.

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use chrysalis_wire::configuration::{Configuration, Kind, Model, Serving};
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Collected, StreamBody};
use hyper::{Method, Request, Response, body::Frame, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::UnixListener, sync::Semaphore};

use super::{
    Api, Engines, Served,
    card::tests::card,
    end::{Aborted, End},
    process::{Launcher, Starter},
};
use crate::{configuration::Measured, secrets::Secrets, trust::Trust};

/// What an engine says to a path and a body.
pub(crate) type Play = fn(&str, Value) -> Vec<Said>;

/// Tokens of context that the fake models have.
pub(crate) const CONTEXT: u32 = 64;
/// Bytes in a token of a flood.
pub(crate) const FLOOD: usize = 500;

/// A part of what an engine says.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// A server-sent event.
    Json(Value),
    /// The body of an answer that does not stream.
    Whole(Value),
    /// Bytes as they are, in an answer that streams.
    Raw(Bytes),
    /// Nothing for ever.
    Hang,
    /// Nothing until the test allows one more step: [`steps`].
    Step,
    /// The last event.
    Done,
    /// Another status than 200, and its body. Only as the first part.
    Status(u16, Value),
    /// The connection ends in the middle of the answer.
    Close,
    /// The engine itself ends.
    End,
}

/// A configuration with one chat model, whose known answer is the echo's.
pub(crate) fn configuration() -> String {
    let digest = "ab".repeat(32);
    format!(
        "version = 2\n[[engine]]\nname = \"fake\"\ndisk = {{ root = \"{digest}\", blocks = 1 }}\nthreads = 1\nmemory_mib = 64\n\
         [[model]]\nname = \"tiny\"\nkind = \"chat\"\nengine = \"fake\"\ndisk = {{ root = \"{digest}\", blocks = 1 }}\n\
         size = 1\nweights = \"{digest}\"\ntemplate = \"{digest}\"\ncontext = {CONTEXT}\nparallel = 1\n\
         known_answer = [{{ prompt = \"well known\", text = \"well known \" }}]\n\
         [serving]\nqueue = 2\ndefault_max_tokens = 16\n"
    )
}

/// The same, measured.
pub(crate) fn measured() -> Measured {
    Measured {
        configuration: Configuration::parse(configuration().as_bytes()).unwrap(),
        digest: [3; 32],
        gpus: None,
    }
}

/// A model of a kind, for one call at a time.
pub(crate) fn model(name: &str, kind: Kind) -> Model {
    Model {
        name: name.to_owned(),
        kind,
        known_answer: Vec::new(),
        ..measured().configuration.models.remove(0)
    }
}

pub(super) fn launcher(model: &Model, play: Play) -> Launcher {
    Launcher {
        model: model.clone(),
        card: card(),
        starter: Starter::Fake(play),
        count: 0.into(),
        secrets: Secrets::default(),
    }
}

/// Models that are served by functions.
pub(crate) async fn engines(models: &[(Model, Play)]) -> Engines {
    let mut served = Vec::new();
    for (model, play) in models {
        served.push(serve(model, *play, &measured().configuration.serving).await);
    }
    Engines(served)
}

/// The same for one, with these bounds.
pub(super) async fn serve(model: &Model, play: Play, serving: &Serving) -> Arc<Served> {
    up(launcher(model, play), serving).await
}

/// The same for one that speaks vLLM's dialect.
pub(crate) async fn vllm(model: &Model, play: Play) -> Arc<Served> {
    let mut launcher = launcher(model, play);
    launcher.card.api = Api::Vllm;
    up(launcher, &measured().configuration.serving).await
}

async fn up(launcher: Launcher, serving: &Serving) -> Arc<Served> {
    let process = launcher.start().await.unwrap();
    launcher.require_known_answer(&process).await.unwrap();
    Served::start(launcher, process, serving, Trust::default())
}

/// A function that plays an engine, until this is dropped.
pub(super) struct Playing {
    _task: Aborted,
    _folder: tempfile::TempDir,
}

pub(super) fn start(play: Play) -> (PathBuf, Arc<End>, Playing) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("e.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let end = Arc::<End>::default();
    let ending = end.clone();
    let task = tokio::spawn(async move {
        let ended = Arc::new(tokio::sync::Notify::new());
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ended.notified() => break,
            };
            let (stream, _) = accepted.unwrap();
            let ended = ended.clone();
            let answer = service_fn(move |request| respond(request, play, ended.clone()));
            connections.spawn(async move {
                let server = hyper::server::conn::http1::Builder::new();
                let _ = server.serve_connection(TokioIo::new(stream), answer).await;
            });
        }
        drop((listener, connections));
        ending.came();
    });
    (
        socket,
        end,
        Playing {
            _task: Aborted(task),
            _folder: folder,
        },
    )
}

thread_local! {
    static STEPS: Arc<Semaphore> = Arc::new(Semaphore::new(0));
}

/// The steps that engines may still take in this test, which is one thread.
pub(crate) fn steps() -> Arc<Semaphore> {
    STEPS.with(Arc::clone)
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

async fn respond(
    request: Request<Incoming>,
    play: Play,
    ended: Arc<tokio::sync::Notify>,
) -> Result<Response<Body>, Infallible> {
    if request.method() == Method::GET {
        return Ok(Response::new(body(Vec::new(), ended)));
    }
    let path = request.uri().path().to_owned();
    let bytes = request.into_body().collect().await;
    let bytes = bytes.map(Collected::to_bytes).unwrap_or_default();
    // A form is given as it is.
    let asked = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    let said = play(&path, asked);
    let (status, kind) = match said.first() {
        Some(Said::Status(status, _)) => (*status, "application/json"),
        Some(Said::Whole(_)) => (200, "application/json; charset=utf-8"),
        _ => (200, "text/event-stream"),
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", kind);
    Ok(response.body(body(said, ended)).unwrap())
}

fn body(said: Vec<Said>, ended: Arc<tokio::sync::Notify>) -> Body {
    let pieces = stream::iter(said).then(move |said| {
        let ended = ended.clone();
        async move {
            let bytes = match said {
                Said::Json(value) => format!("data: {value}\n\n").into(),
                Said::Whole(value) | Said::Status(_, value) => value.to_string().into(),
                Said::Raw(bytes) => bytes,
                Said::Hang => std::future::pending().await,
                Said::Step => {
                    if let Ok(step) = steps().acquire().await {
                        step.forget();
                    }
                    return Ok(Frame::data(Bytes::new()));
                }
                Said::Done => "data: [DONE]\n\n".into(),
                Said::Close | Said::End => {
                    // What was said before it is on its way by then.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    if matches!(said, Said::End) {
                        ended.notify_one();
                    }
                    return Err(std::io::ErrorKind::ConnectionReset.into());
                }
            };
            Ok(Frame::data(bytes))
        }
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// Plays llama.cpp's server: repeats the last message, or the text, word by word, a token each. Some words do more: `crash`
/// ends the engine, `forever` sends one more piece and then nothing, `flood` makes all the tokens that it may, each of
/// [`FLOOD`] bytes, `long` does not fit, `step` waits for the test. And some lie: `babble` sends too many tokens, `novel` a token with too much text.
#[allow(
    clippy::needless_pass_by_value,
    reason = "as every function that plays an engine"
)]
pub(crate) fn echo(path: &str, body: Value) -> Vec<Said> {
    let chat = path == "/v1/chat/completions";
    let text = match &body["messages"] {
        Value::Array(messages) => last_words(messages),
        _ => body["prompt"].as_str().unwrap_or_default().to_owned(),
    };
    let most = body["max_tokens"].as_u64().unwrap_or(16);
    let mut said = Vec::new();
    let mut made = 0;
    let mut piece = |said: &mut Vec<Said>, text: &str| {
        made += 1;
        said.push(Said::Json(chunk(chat, text)));
    };
    for word in text.split_whitespace() {
        match word {
            "crash" => {
                said.push(Said::End);
                return said;
            }
            "long" => {
                let error = json!({"code": 400, "type": "exceed_context_size_error",
                    "message": "too long", "n_prompt_tokens": 100, "n_ctx": CONTEXT});
                return vec![Said::Status(400, json!({ "error": error }))];
            }
            "forever" => {
                piece(&mut said, "on ");
                said.push(Said::Hang);
            }
            "babble" => (0..=most).for_each(|_| piece(&mut said, "x ")),
            "step" => said.push(Said::Step),
            "novel" => piece(&mut said, &"x".repeat(200_000)),
            "flood" => (0..most).for_each(|_| piece(&mut said, &"x".repeat(FLOOD))),
            word => piece(&mut said, &format!("{word} ")),
        }
    }
    let prompt = text.split_whitespace().count();
    let reason = if made as u64 >= most {
        "length"
    } else {
        "stop"
    };
    said.push(Said::Json(finish(chat, reason)));
    said.push(Said::Json(usage(chat, prompt, made)));
    said.push(Said::Done);
    said
}

fn last_words(messages: &[Value]) -> String {
    let content = messages
        .last()
        .map_or(&Value::Null, |last| &last["content"]);
    content.as_str().unwrap_or_default().to_owned()
}

fn chunk(chat: bool, text: &str) -> Value {
    let choice = if chat {
        json!({"index": 0, "delta": {"content": text}, "finish_reason": null})
    } else {
        json!({"index": 0, "text": text, "finish_reason": null})
    };
    envelope(chat, json!([choice]))
}

fn finish(chat: bool, reason: &str) -> Value {
    let choice = if chat {
        json!({"index": 0, "delta": {}, "finish_reason": reason})
    } else {
        json!({"index": 0, "text": "", "finish_reason": reason})
    };
    envelope(chat, json!([choice]))
}

fn usage(chat: bool, prompt: usize, made: usize) -> Value {
    let mut event = envelope(chat, json!([]));
    event["usage"] =
        json!({"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made});
    event
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "it becomes a part of the event"
)]
fn envelope(chat: bool, choices: Value) -> Value {
    let object = if chat {
        "chat.completion.chunk"
    } else {
        "text_completion"
    };
    json!({"id": "cmpl-1", "object": object, "created": 1, "model": "tiny", "choices": choices})
}
