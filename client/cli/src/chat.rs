//! One question to a verified enclave. The verdict goes to stderr, the answer to stdout as it comes.

use std::{
    io::{Read, Write},
    path::PathBuf,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use chrysalis_client::{Answer, AttestedConnection, Error, Target, events};
use clap::Args;
use http_body_util::{BodyExt, Limited};
use hyper::{
    Request, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::{Value, json};

use crate::{judge, options::Judging, outcome::Outcome, printable::printable, progress, verdict};

/// The most bytes of a question on stdin; the enclave's context is shorter.
const MAX_QUESTION: u64 = 1024 * 1024;
/// The most bytes of an error's body.
const MAX_ERROR: usize = 64 * 1024;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis chat https://llm.example \"What is a chrysalis?\" --policy policy.toml"
)]
pub(crate) struct ChatArguments {
    /// The enclave, as https://HOST:PORT
    #[arg(value_name = "URL")]
    pub(crate) target: Target,
    /// What to ask, or `-` for stdin
    #[arg(value_name = "MESSAGE")]
    pub(crate) message: String,
    /// What you require of the enclave
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// The model; by default the first for chat in the enclave's claims
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The most tokens of the answer
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u32>,
    /// 0 answers with the likeliest token every time; at most 2
    #[arg(long, value_name = "NUMBER")]
    pub(crate) temperature: Option<f32>,
    /// The same seed and question give the same answer
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u32>,
    /// Instructions before the question
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
}

pub(crate) async fn run(arguments: ChatArguments) -> anyhow::Result<Outcome> {
    let relying_party = judge::relying_party(&arguments.policy, &arguments.judging)?;
    let message = question(&arguments.message)?;
    let connecting = AttestedConnection::connect(&arguments.target, &relying_party);
    let mut enclave = match progress::during("verifying the enclave", connecting).await {
        Ok(enclave) => enclave,
        Err(error) => return verdict::refuse(error),
    };
    eprintln!("{}", verdict::one_line(enclave.trusted()));
    let claimed = enclave.trusted().claims().first_of_kind("chat");
    let model = match (&arguments.model, claimed) {
        (Some(named), _) => named,
        (None, Some(claimed)) => &claimed.name,
        (None, None) => bail!(
            "the enclave serves no model for chat; name one of its models with --model, or ask an enclave that serves one"
        ),
    };
    let request = request(&arguments, model, &message)?;
    let answer = progress::during("waiting for the answer", enclave.send(request)).await?;
    if answer.status() != StatusCode::OK {
        bail!(
            "the enclave answers {}: {}",
            answer.status(),
            failure(answer).await
        );
    }
    if !is_stream(&answer) {
        return Err(Error::Protocol("asked for a stream, it answers something else".into()).into());
    }
    print(answer.into_body()).await
}

fn question(message: &str) -> anyhow::Result<String> {
    if message != "-" {
        return Ok(message.to_owned());
    }
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_QUESTION)
        .read_to_string(&mut text)
        .context("cannot read stdin")?;
    Ok(text)
}

fn request(
    arguments: &ChatArguments,
    model: &str,
    message: &str,
) -> anyhow::Result<Request<Bytes>> {
    let system = arguments
        .system
        .iter()
        .map(|text| json!({ "role": "system", "content": text }));
    let user = json!({ "role": "user", "content": message });
    let mut body = json!({
        "model": model,
        "messages": system.chain([user]).collect::<Vec<_>>(),
        "stream": true,
    });
    let options = [
        ("max_tokens", arguments.max_tokens.map(Value::from)),
        ("temperature", arguments.temperature.map(Value::from)),
        ("seed", arguments.seed.map(Value::from)),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    Ok(Request::post(chrysalis_client::CHAT)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(body.to_string().into())?)
}

fn is_stream(answer: &Response<Answer>) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// Prints the pieces as they come. An answer without its `[DONE]` is not an answer.
async fn print(mut answer: Answer) -> anyhow::Result<Outcome> {
    let mut whole = events::WholeEvents::default();
    let mut done = false;
    while let Some(frame) = progress::during("waiting for more", answer.frame()).await {
        let Ok(piece) = frame.inspect_err(|_| println!())?.into_data() else {
            continue;
        };
        for data in events::data(&whole.push(&piece)) {
            match data {
                b"[DONE]" => done = true,
                json => print_piece(json)?,
            }
        }
    }
    println!();
    if !done {
        return Err(Error::Incomplete { what: "answer" }.into());
    }
    Ok(Outcome::Yes)
}

fn print_piece(json: &[u8]) -> anyhow::Result<()> {
    let chunk: Value = serde_json::from_slice(json)
        .map_err(|_| Error::Protocol("an event of its answer is not JSON".into()))?;
    if let Some(message) = chunk["error"]["message"].as_str() {
        println!();
        bail!("the answer is incomplete: {message}");
    }
    let choice = &chunk["choices"][0];
    if let Some(text) = choice["delta"]["content"].as_str() {
        print!("{}", printable(text));
        std::io::stdout()
            .flush()
            .context("cannot write the answer")?;
    }
    if choice["finish_reason"] == "length" {
        eprint!("\n(cut at the most tokens allowed; --max-tokens N allows more)");
    }
    Ok(())
}

async fn failure(answer: Response<Answer>) -> String {
    let Ok(body) = Limited::new(answer.into_body(), MAX_ERROR).collect().await else {
        return "and breaks off".into();
    };
    match serde_json::from_slice::<Value>(&body.to_bytes()) {
        Ok(body) => body["error"]["message"]
            .as_str()
            .unwrap_or("it does not say why")
            .to_owned(),
        Err(_) => "it does not say why".into(),
    }
}
