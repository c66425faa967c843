//! The proxy's side: a streamed answer, and recordings written down.
//!
//! By hand rather than by an OpenAI client: a bot must tell a stream that ended from one that broke off, and read what an answer cost,
//! and the clients show neither headers nor events that they do not know.

use std::{pin::Pin, time::Duration};

use chrysalis_settle::Receipt;
use eventsource_stream::{Event, Eventsource};
use futures_util::{Stream, StreamExt};
use reqwest::{
    Client, RequestBuilder, Response, Url,
    header::{HeaderMap, RETRY_AFTER},
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{asked::Recording, options::Options, trouble::Trouble};

/// Names a job, so that its receipt comes with the answer.
const JOB: &str = "x-chrysalis-job";
/// The receipt of a whole answer.
const RECEIPT: &str = "x-chrysalis-receipt";
/// What a whole answer cost, in nano.
const SPENT: &str = "x-chrysalis-spent";
/// The longest silence: the enclave sends a comment every 10 s while it computes.
const SILENCE: Duration = Duration::from_mins(1);
/// The most bytes of an answer.
const MAX_ANSWER: usize = 1024 * 1024;

/// What answers, through the proxy.
#[derive(Debug)]
pub(crate) struct Model {
    http: Client,
    base: String,
    name: String,
    voice: Option<String>,
    max_tokens: u32,
    /// Whether receipts are asked for.
    receipts: bool,
}

/// An answer that is being streamed.
pub(crate) struct Answer {
    events: Pin<Box<dyn Stream<Item = Result<Event, ()>> + Send>>,
    bytes: usize,
    /// What its receipt said, in nano.
    pub(crate) nano: u64,
    /// It stopped at the limit of tokens.
    pub(crate) cut: bool,
}

impl Model {
    pub(crate) fn new(options: &Options) -> anyhow::Result<Self> {
        let http = Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(SILENCE)
            .build()?;
        Ok(Self {
            http,
            base: base(&options.proxy),
            name: options.model.clone(),
            voice: options.voice_model.clone(),
            max_tokens: options.max_tokens,
            receipts: options.daily_nano.is_some(),
        })
    }

    /// Whether recordings can be written down.
    pub(crate) fn hears(&self) -> bool {
        self.voice.is_some()
    }

    /// The most tokens of an answer.
    pub(crate) fn max_tokens(&self) -> u32 {
        self.max_tokens
    }

    /// Begins the answer to a conversation, `messages` in the API's form.
    pub(crate) async fn ask(&self, messages: Vec<Value>) -> Result<Answer, Trouble> {
        let body = json!({"model": self.name, "messages": messages, "max_tokens": self.max_tokens, "stream": true});
        let response = self.send(self.post("chat/completions").json(&body)).await?;
        let events = response.bytes_stream().eventsource();
        Ok(Answer {
            events: Box::pin(events.map(|event| event.map_err(|_| ()))),
            bytes: 0,
            nano: 0,
            cut: false,
        })
    }

    /// The words of a recording, as it came from Telegram, and what that cost in nano.
    pub(crate) async fn hear(
        &self,
        recording: &Recording,
        bytes: Vec<u8>,
    ) -> Result<(String, u64), Trouble> {
        let part = Part::bytes(bytes).file_name(recording.name.clone());
        let form = Form::new()
            .text("model", self.voice.clone().unwrap_or_default())
            .part("file", part);
        let response = self
            .send(self.post("audio/transcriptions").multipart(form))
            .await?;
        let nano = spent(response.headers());
        let answer: Value = response.json().await.map_err(|error| lost(&error))?;
        match answer["text"].as_str() {
            Some(text) => Ok((text.trim().to_owned(), nano)),
            None => Err(Trouble::BrokeOff("answer_not_read".into())),
        }
    }

    fn post(&self, path: &str) -> RequestBuilder {
        let request = self.http.post(format!("{}/{path}", self.base));
        if !self.receipts {
            return request;
        }
        let mut number = [0; 16];
        // Without random numbers there is no receipt, and the answer counts as free.
        match getrandom::fill(&mut number) {
            Ok(()) => request.header(JOB, hex::encode(number)),
            Err(_) => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        let response = request.send().await.map_err(|error| lost(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let wait = response.headers().get(RETRY_AFTER);
        let wait = wait.and_then(|it| it.to_str().ok()?.trim().parse().ok());
        let body: Value = response.json().await.unwrap_or_default();
        Err(Trouble::Refused {
            status,
            code: code(&body, "no_code"),
            untrusted: body["error"]["type"] == "attestation_error",
            wait,
        })
    }
}

impl Answer {
    /// The next piece of text; `None` after the last. A stream that ends in any way but its own is trouble.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, Trouble> {
        loop {
            let event = match self.events.next().await {
                Some(Ok(event)) => event,
                Some(Err(())) => return Err(Trouble::BrokeOff("connection_lost".into())),
                None => return Err(Trouble::BrokeOff("incomplete_answer".into())),
            };
            if event.event == "receipt" {
                self.nano = nano(&event.data);
                continue;
            }
            if event.data == "[DONE]" {
                return Ok(None);
            }
            let Ok(chunk) = serde_json::from_str::<Value>(&event.data) else {
                return Err(Trouble::BrokeOff("answer_not_read".into()));
            };
            if chunk.get("error").is_some() {
                return Err(Trouble::BrokeOff(code(&chunk, "no_code")));
            }
            let choice = &chunk["choices"][0];
            self.cut |= choice["finish_reason"] == "length";
            if let Some(text) = choice["delta"]["content"]
                .as_str()
                .filter(|text| !text.is_empty())
            {
                self.bytes = self.bytes.saturating_add(text.len());
                if self.bytes > MAX_ANSWER {
                    return Err(Trouble::BrokeOff("answer_too_long".into()));
                }
                return Ok(Some(text.to_owned()));
            }
        }
    }
}

fn base(proxy: &Url) -> String {
    proxy.as_str().trim_end_matches('/').to_owned()
}

fn lost(error: &reqwest::Error) -> Trouble {
    if error.is_connect() {
        Trouble::Unreachable
    } else {
        Trouble::BrokeOff("connection_lost".into())
    }
}

/// The code of an error in the API's form: letters, digits and `_`, as all of ours are.
fn code(body: &Value, otherwise: &str) -> String {
    let code = body["error"]["code"].as_str().unwrap_or_default();
    let shaped = !code.is_empty()
        && code.len() <= 64
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if shaped { code } else { otherwise }.to_owned()
}

/// What a whole answer cost.
fn spent(headers: &HeaderMap) -> u64 {
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
    match text(SPENT).and_then(|it| it.parse().ok()) {
        Some(spent) => spent,
        None => text(RECEIPT).map_or(0, nano),
    }
}

/// The amount of a receipt, whose signature the proxy has checked.
fn nano(receipt: &str) -> u64 {
    Receipt::from_text(receipt.trim()).map_or(0, |(_, job)| job.amount)
}
