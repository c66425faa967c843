//! A Bot API server on loopback. It answers as Telegram's documentation says, and writes down every rule that the bot breaks: unknown
//! methods and parameters, texts over the limit, edits faster than allowed, calls before a `retry_after` is over.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Response, StatusCode, Uri},
};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::serve;

/// As Telegram writes tokens.
pub(crate) const TOKEN: &str = "7000000001:AAE0ChrysalisTestTokenOf35Letters_-";
/// The bot's own number.
pub(crate) const BOT: i64 = 7_000_000_001;
/// The most UTF-16 units of a message.
const LIMIT: usize = 4096;
/// Between two calls about one message: Telegram's "about once a second", and 20 a minute in groups. Clocks may differ a little.
const PACE: [Duration; 2] = [Duration::from_millis(950), Duration::from_millis(2900)];

/// The methods and their parameters that the bot may use.
const METHODS: [(&str, &[&str]); 6] = [
    ("GetMe", &[]),
    (
        "GetUpdates",
        &["offset", "limit", "timeout", "allowed_updates"],
    ),
    (
        "SendMessage",
        &[
            "chat_id",
            "text",
            "entities",
            "link_preview_options",
            "reply_parameters",
        ],
    ),
    (
        "EditMessageText",
        &["chat_id", "message_id", "text", "link_preview_options"],
    ),
    ("SendChatAction", &["chat_id", "action"]),
    ("GetFile", &["file_id"]),
];

/// One call, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) params: Value,
}

/// How the server refuses the next call of a method.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// 429, with this many seconds.
    RetryAfter(u64),
    /// A status with a description.
    Error(u16, &'static str),
}

#[derive(Debug, Default)]
struct Server {
    updates: VecDeque<Value>,
    last_update: i64,
    last_message: i64,
    calls: Vec<Call>,
    /// By chat and message: what it showed, one after the other.
    shown: BTreeMap<(i64, i64), Vec<String>>,
    touched: HashMap<(i64, i64), Instant>,
    blocked: HashMap<i64, Instant>,
    refusals: HashMap<&'static str, VecDeque<Refusal>>,
    files: HashMap<String, (u64, Bytes)>,
    broken: Vec<String>,
}

/// The server.
#[derive(Debug, Clone)]
pub(crate) struct Telegram {
    server: Arc<Mutex<Server>>,
    news: Arc<Notify>,
    pub(crate) url: String,
}

impl Telegram {
    pub(crate) async fn start() -> Self {
        let mut telegram = Self {
            server: Arc::default(),
            news: Arc::default(),
            url: String::new(),
        };
        let app = Router::new().fallback(handle).with_state(telegram.clone());
        telegram.url = serve(app).await;
        telegram
    }

    fn lock(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap()
    }

    /// A user writes in the private chat that has the user's number.
    pub(crate) fn says(&self, user: i64, text: &str) -> i64 {
        self.writes(user, user, &json!({"text": text}))
    }

    /// A user sends a message with `content` to a chat; a negative number is a group. The message's number.
    pub(crate) fn writes(&self, chat: i64, user: i64, content: &Value) -> i64 {
        let mut server = self.lock();
        server.last_update += 1;
        server.last_message += 1;
        let number = server.last_message;
        let mut message = json!({
            "message_id": number, "date": 1_700_000_000, "chat": chat_of(chat),
            "from": {"id": user, "is_bot": false, "first_name": "Ada", "language_code": "en"},
        });
        for (key, value) in content.as_object().unwrap() {
            message[key] = value.clone();
        }
        let update = json!({"update_id": server.last_update, "message": message});
        server.updates.push_back(update);
        drop(server);
        self.news.notify_waiters();
        number
    }

    /// A file that can be fetched, which Telegram says has `size` bytes.
    pub(crate) fn keep(&self, id: &str, size: u64, bytes: impl Into<Bytes>) {
        self.lock().files.insert(id.into(), (size, bytes.into()));
    }

    /// Refuses the next call of `method`.
    pub(crate) fn refuse(&self, method: &'static str, refusal: Refusal) {
        self.lock()
            .refusals
            .entry(method)
            .or_default()
            .push_back(refusal);
    }

    /// All calls of a method.
    pub(crate) fn calls(&self, method: &str) -> Vec<Call> {
        let calls = self.lock().calls.clone();
        calls
            .into_iter()
            .filter(|call| call.method == method)
            .collect()
    }

    /// What the bot's messages in a chat show now.
    pub(crate) fn shown(&self, chat: i64) -> Vec<String> {
        self.versions(chat)
            .into_iter()
            .filter_map(|mut all| all.pop())
            .collect()
    }

    /// What each of the bot's messages in a chat showed, one after the other.
    pub(crate) fn versions(&self, chat: i64) -> Vec<Vec<String>> {
        let server = self.lock();
        let of_chat = server.shown.range((chat, i64::MIN)..=(chat, i64::MAX));
        of_chat.map(|(_, all)| all.clone()).collect()
    }

    /// Updates that the bot has not confirmed.
    pub(crate) fn unconfirmed(&self) -> usize {
        self.lock().updates.len()
    }

    /// Waits until the bot's messages in a chat satisfy `wanted`.
    pub(crate) async fn until(&self, chat: i64, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        let began = Instant::now();
        loop {
            let shown = self.shown(chat);
            if wanted(&shown) {
                return shown;
            }
            assert!(
                began.elapsed() < Duration::from_mins(2),
                "in chat {chat}: {shown:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the bot has sent `count` messages to a chat, the last of which is finished.
    pub(crate) async fn answers(&self, chat: i64, count: usize) -> Vec<String> {
        self.until(chat, |shown| {
            shown.len() >= count && shown.last().is_some_and(|last| !last.ends_with(" …"))
        })
        .await
    }

    /// The rules that the bot broke.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.lock().broken.clone()
    }
}

fn chat_of(chat: i64) -> Value {
    if chat < 0 {
        json!({"id": chat, "type": "supergroup", "title": "A group"})
    } else {
        json!({"id": chat, "type": "private", "first_name": "Ada"})
    }
}

async fn handle(State(telegram): State<Telegram>, uri: Uri, body: Bytes) -> Response<Body> {
    let path = uri.path().replace("%2F", "/").replace("%3A", ":");
    if let Some(name) = path.strip_prefix(&format!("/file/bot{TOKEN}/files/")) {
        let file = telegram.lock().files.get(name).cloned();
        return match file {
            Some((_, bytes)) => Response::new(Body::from(bytes)),
            None => answer(
                404,
                &json!({"ok": false, "error_code": 404, "description": "Not Found"}),
            ),
        };
    }
    let Some(method) = path.strip_prefix(&format!("/bot{TOKEN}/")) else {
        return answer(
            401,
            &json!({"ok": false, "error_code": 401, "description": "Unauthorized"}),
        );
    };
    let params: Value = serde_json::from_slice(&body).unwrap_or_default();
    match telegram.call(method, params).await {
        Ok(result) => answer(200, &json!({"ok": true, "result": result})),
        Err(Refusal::RetryAfter(seconds)) => answer(
            429,
            &json!({
                "ok": false, "error_code": 429, "description": format!("Too Many Requests: retry after {seconds}"),
                "parameters": {"retry_after": seconds},
            }),
        ),
        Err(Refusal::Error(status, why)) => answer(
            status,
            &json!({"ok": false, "error_code": status, "description": why}),
        ),
    }
}

fn answer(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    response
}

impl Telegram {
    async fn call(&self, method: &str, params: Value) -> Result<Value, Refusal> {
        {
            let mut server = self.lock();
            server.check(method, &params);
            server.calls.push(Call {
                at: Instant::now(),
                method: method.into(),
                params: params.clone(),
            });
            if let Some(refusal) = server
                .refusals
                .get_mut(method)
                .and_then(VecDeque::pop_front)
            {
                if let (Refusal::RetryAfter(seconds), Some(chat)) =
                    (&refusal, params["chat_id"].as_i64())
                {
                    let until = Instant::now() + Duration::from_secs(*seconds);
                    server.blocked.insert(chat, until);
                }
                return Err(refusal);
            }
        }
        match method {
            "GetMe" => Ok(json!({
                "id": BOT, "is_bot": true, "first_name": "Chrysalis", "username": "chrysalis_bot", "can_join_groups": true,
                "can_read_all_group_messages": false, "supports_inline_queries": false, "can_connect_to_business": false,
                "has_main_web_app": false,
            })),
            "GetUpdates" => self.updates(&params).await,
            "SendMessage" | "EditMessageText" => self.lock().show(method, &params),
            "SendChatAction" => Ok(json!(true)),
            "GetFile" => {
                let id = params["file_id"].as_str().unwrap_or_default();
                match self.lock().files.get(id) {
                    Some((size, _)) if *size > 20 * 1024 * 1024 => {
                        Err(Refusal::Error(400, "Bad Request: file is too big"))
                    }
                    Some((size, _)) => Ok(json!({
                        "file_id": id, "file_unique_id": id, "file_size": size, "file_path": format!("files/{id}"),
                    })),
                    None => Err(Refusal::Error(400, "Bad Request: invalid file_id")),
                }
            }
            _ => Err(Refusal::Error(404, "Not Found")),
        }
    }

    async fn updates(&self, params: &Value) -> Result<Value, Refusal> {
        let limit = usize::try_from(params["limit"].as_u64().unwrap_or(100)).unwrap();
        let until = Instant::now() + Duration::from_secs(params["timeout"].as_u64().unwrap_or(0));
        loop {
            let news = self.news.notified();
            {
                let mut server = self.lock();
                let offset = params["offset"].as_i64().unwrap_or(0);
                server
                    .updates
                    .retain(|update| update["update_id"].as_i64().unwrap() >= offset);
                let found: Vec<_> = server.updates.iter().take(limit).cloned().collect();
                if !found.is_empty() || Instant::now() >= until {
                    return Ok(json!(found));
                }
            }
            let _timeout = tokio::time::timeout_at(until.into(), news).await;
        }
    }
}

impl Server {
    fn check(&mut self, method: &str, params: &Value) {
        let Some((_, known)) = METHODS.iter().find(|(name, _)| *name == method) else {
            self.broken.push(format!("there is no method {method}"));
            return;
        };
        for key in params.as_object().into_iter().flat_map(|map| map.keys()) {
            if !known.contains(&key.as_str()) {
                self.broken.push(format!("{method} has no parameter {key}"));
            }
        }
        if method == "SendChatAction" && params["action"] != "typing" {
            self.broken.push(format!("{method}: {params}"));
        }
    }

    fn show(&mut self, method: &str, params: &Value) -> Result<Value, Refusal> {
        let now = Instant::now();
        let chat = params["chat_id"].as_i64().unwrap();
        let text = params["text"].as_str().unwrap().trim().to_owned();
        let units = text.encode_utf16().count();
        if self.blocked.get(&chat).is_some_and(|until| now < *until) {
            self.broken
                .push(format!("{method} in {chat} before retry_after was over"));
        }
        if units == 0 || units > LIMIT {
            self.broken
                .push(format!("{method} with {units} UTF-16 units"));
            return Err(Refusal::Error(400, "Bad Request: message is too long"));
        }
        if params["link_preview_options"]["is_disabled"] != true {
            self.broken
                .push(format!("{method} has Telegram fetch links"));
        }
        let number = if method == "SendMessage" {
            if params["reply_parameters"]["message_id"].as_i64().is_none() {
                self.broken.push("a message that replies to nothing".into());
            }
            self.last_message += 1;
            self.last_message
        } else {
            params["message_id"].as_i64().unwrap()
        };
        let pace = PACE[usize::from(chat < 0)];
        if let Some(before) = self.touched.insert((chat, number), now)
            && now.duration_since(before) < pace
        {
            let after = now.duration_since(before);
            self.broken
                .push(format!("{method} in {chat} after {after:?}"));
        }
        let versions = self.shown.entry((chat, number)).or_default();
        if method == "EditMessageText" {
            match versions.last() {
                None => {
                    return Err(Refusal::Error(
                        400,
                        "Bad Request: message to edit not found",
                    ));
                }
                Some(last) if *last == text => {
                    return Err(Refusal::Error(
                        400,
                        "Bad Request: message is not modified: specified new message content and reply markup are exactly the same \
                         as a current content and reply markup of the message",
                    ));
                }
                Some(_) => {}
            }
        }
        versions.push(text.clone());
        Ok(json!({
            "message_id": number, "date": 1_700_000_000, "chat": chat_of(chat), "text": text,
            "from": {"id": BOT, "is_bot": true, "first_name": "Chrysalis", "username": "chrysalis_bot"},
        }))
    }
}
