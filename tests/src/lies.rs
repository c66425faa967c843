//! A host that counts what passes and can cut the line, and a client that may leave.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::machine::spawn_kept;

/// More bytes than a TLS handshake and an attestation request take, and fewer than the prompts of the tests.
const ROOM_WITHOUT_PROMPT: u64 = 4096;

/// A relay that moves bytes, counts them, and can cut every connection.
pub struct Recorder {
    address: String,
    sent: Arc<AtomicU64>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Recorder {
    /// Relays to `target`, `HOST:PORT`.
    pub fn before(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let recorder = Self {
            address,
            sent: Arc::default(),
            open: Arc::default(),
        };
        let (target, sent, open) = (
            target.to_owned(),
            recorder.sent.clone(),
            recorder.open.clone(),
        );
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&target) else {
                    continue;
                };
                for stream in [&client, &server] {
                    open.lock()
                        .expect("unpoisoned")
                        .push(stream.try_clone().expect("a handle"));
                }
                let (up, down) = (both(&client, &server), both(&server, &client));
                let sent = sent.clone();
                thread::spawn(move || {
                    pump(up, |bytes| {
                        sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
                    });
                });
                thread::spawn(move || pump(down, |_| ()));
            }
        });
        recorder
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Cuts every connection that is open.
    pub fn cut(&self) {
        for stream in self.open.lock().expect("unpoisoned").drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    /// # Panics
    /// When the client sent more than a handshake and an attestation request.
    pub fn assert_sent_no_prompt(&self) {
        let sent = self.sent.load(Ordering::SeqCst);
        assert!(sent > 0, "the client sent nothing at all");
        assert!(sent < ROOM_WITHOUT_PROMPT, "the client sent {sent} bytes");
    }
}

/// A streaming chat in flight.
pub struct Stream {
    child: Child,
    read: String,
}

/// Starts a streaming chat by curl against an OpenAI-compatible endpoint at `HOST:PORT`.
pub fn send_chat(address: &str, prompt: &str, max_tokens: u32) -> Stream {
    let body = serde_json::json!({
        "model": "smollm2-135m-instruct", "stream": true, "max_tokens": max_tokens, "temperature": 0,
        "messages": [{"role": "user", "content": prompt}],
    });
    let mut curl = Command::new("curl");
    curl.args([
        "-sSN",
        "--max-time",
        "240",
        "-H",
        "content-type: application/json",
        "-d",
        &body.to_string(),
    ])
    .arg(format!("http://{address}/v1/chat/completions"))
    .stdout(Stdio::piped())
    .stderr(Stdio::piped());
    Stream {
        child: spawn_kept(curl),
        read: String::new(),
    }
}

impl Stream {
    /// Reads until `text` came.
    ///
    /// # Panics
    /// When the stream ends first.
    pub fn wait_for(&mut self, text: &str) {
        let output = self.child.stdout.as_mut().expect("a pipe");
        let mut piece = [0; 512];
        while !self.read.contains(text) {
            let length = output.read(&mut piece).expect("a readable pipe");
            assert!(length > 0, "the stream ended before {text}: {}", self.read);
            self.read
                .push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    }

    /// Goes away, as a closed browser tab does.
    pub fn leave(mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Reads all that is left and gives everything.
    pub fn to_end(mut self) -> String {
        let output = self.child.stdout.as_mut().expect("a pipe");
        let mut rest = Vec::new();
        output.read_to_end(&mut rest).expect("a readable pipe");
        self.child.wait().ok();
        self.read + &String::from_utf8_lossy(&rest)
    }
}

fn both(from: &TcpStream, to: &TcpStream) -> (TcpStream, TcpStream) {
    (
        from.try_clone().expect("a handle"),
        to.try_clone().expect("a handle"),
    )
}

fn pump((mut from, mut to): (TcpStream, TcpStream), mut see: impl FnMut(&[u8])) {
    let mut piece = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        see(&piece[..length]);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Write).ok();
}
