//! A server of toncenter's interface that hands questions on to another, unless it is told to do otherwise.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

use crate::mutex::held;

/// What it does instead.
#[derive(Debug, Clone, Default)]
pub(super) enum Lie {
    /// Nothing: it is honest.
    #[default]
    None,
    /// It is not there.
    Down,
    /// Messages are taken and lost.
    LosesSends,
    /// Messages are sent twice.
    DoublesSends,
    /// Messages are sent, and the answer is lost, once.
    LosesAnswers,
    /// Messages are refused with this exit code.
    Refuses(i32),
    /// Accounts are as they were the first time that it was asked for them since.
    Stale,
    /// Accounts are as another server has them.
    Account(String),
    /// Accounts run another program.
    OtherCode,
    /// Nothing that it says is as it should be.
    Nonsense(&'static str),
}

/// The server.
pub(super) struct Liar {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    lie: Lie,
    asked: HashMap<String, usize>,
    accounts: HashMap<String, String>,
}

impl Liar {
    /// Hands on to this address.
    pub(super) fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/api/v2", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let (kept, upstream) = (Arc::clone(&state), upstream.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (state, upstream) = (Arc::clone(&kept), upstream.clone());
                thread::spawn(move || answer(&stream.unwrap(), &state, &upstream));
            }
        });
        Self { address, state }
    }

    pub(super) fn url(&self) -> String {
        self.address.clone()
    }

    /// From now on.
    pub(super) fn lies(&self, lie: Lie) {
        let mut state = held(&self.state);
        state.lie = lie;
        state.accounts.clear();
    }

    /// How often it was asked this.
    pub(super) fn asked(&self, method: &str) -> usize {
        held(&self.state)
            .asked
            .get(method)
            .copied()
            .unwrap_or_default()
    }
}

/// One request; a connection has no second.
fn answer(stream: &TcpStream, state: &Mutex<State>, upstream: &str) -> Option<()> {
    let body = request(stream)?;
    let question: Value = serde_json::from_str(&body).ok()?;
    let method = question["method"].as_str()?.to_owned();
    *held(state).asked.entry(method.clone()).or_default() += 1;
    let lie = held(state).lie.clone();
    let (status, said) = match (lie, method.as_str()) {
        (Lie::Down, _) => return None,
        (Lie::Nonsense(text), _) => (200, text.to_owned()),
        (Lie::LosesSends, "sendBoc") => (200, r#"{"ok":true,"result":{"@type":"ok"}}"#.to_owned()),
        (Lie::DoublesSends, "sendBoc") => {
            let first = ask(upstream, &body);
            ask(upstream, &body);
            first
        }
        (Lie::LosesAnswers, "sendBoc") => {
            ask(upstream, &body);
            held(state).lie = Lie::None;
            return None;
        }
        (Lie::Refuses(code), "sendBoc") => {
            let error = format!(
                "cannot apply external message to current state : exitcode={code}, steps=0"
            );
            (
                500,
                serde_json::json!({"ok": false, "error": error, "code": 500}).to_string(),
            )
        }
        (Lie::Stale, "getAddressInformation") => {
            let address = question["params"]["address"].to_string();
            let kept = held(state).accounts.get(&address).cloned();
            let said = kept.unwrap_or_else(|| ask(upstream, &body).1);
            held(state).accounts.insert(address, said.clone());
            (200, said)
        }
        (Lie::Account(other), "getAddressInformation") => ask(&other, &body),
        (Lie::OtherCode, "getAddressInformation") => {
            let (status, said) = ask(upstream, &body);
            let mut said: Value = serde_json::from_str(&said).ok()?;
            said["result"]["code"] = said["result"]["data"].clone();
            (status, said.to_string())
        }
        _ => ask(upstream, &body),
    };
    let mut stream = stream;
    let length = said.len();
    write!(
        stream,
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{said}"
    )
    .ok()
}

fn request(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

fn ask(upstream: &str, body: &str) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let answer = agent.post(format!("{upstream}/jsonRPC")).send(body);
    let mut answer = answer.unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), text)
}
