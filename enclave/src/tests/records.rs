//! What the host sees: the sizes of TLS records, read off the socket.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::UnixStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{
    PATIENCE, chat,
    client::{handshake, send},
    host::{FakeHost, configuration, enclave, enclave_of},
};
use crate::{engine::fake, serve::Bounds};

/// What TLS 1.3 adds to a record's plaintext: its type and the tag.
const ADDED: usize = 17;
const APPLICATION_DATA: u8 = 23;

/// A socket that notes the length of each record that it reads.
struct Watched {
    stream: UnixStream,
    /// The head of a record, as far as it was read.
    head: Vec<u8>,
    /// Bytes of a record that have not been read.
    left: usize,
    records: Vec<usize>,
}

impl Watched {
    fn note(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head.push(*first);
            bytes = rest;
            if let [kind, _, _, high, low] = self.head[..] {
                self.left = usize::from(u16::from_be_bytes([high, low]));
                if kind == APPLICATION_DATA {
                    self.records.push(self.left - ADDED);
                }
                self.head.clear();
            }
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.note(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A connection whose records count from here on, after those of the handshake.
async fn watched(host: &FakeHost) -> TlsStream<Watched> {
    let stream = UnixStream::connect(host.folder.path().join("tls.sock")).await;
    let mut stream = handshake(Watched {
        stream: stream.unwrap(),
        head: Vec::new(),
        left: 0,
        records: Vec::new(),
    })
    .await;
    stream.get_mut().0.records.clear();
    stream
}

/// An answer's bytes, and the records that they came in. The engine takes each of its steps once everything before it was read:
/// the first after the comment with which a stream begins.
async fn answer(host: &FakeHost, body: &Value, steps: usize) -> (String, Vec<usize>) {
    let mut stream = watched(host).await;
    send(&mut stream, body).await;
    let (mut text, mut steps_left) = (String::new(), steps);
    while !is_whole(&text) {
        let mut bytes = vec![0; 1 << 16];
        let read = timeout(PATIENCE, stream.read(&mut bytes)).await;
        let read = read.unwrap().unwrap();
        text += std::str::from_utf8(&bytes[..read]).unwrap();
        if steps_left > 0 && text.contains(": still here\n\n") {
            steps_left -= 1;
            fake::steps().add_permits(1);
        }
    }
    (text, stream.get_ref().0.records.clone())
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    match length {
        Some(length) => body.len() == length.parse::<usize>().unwrap(),
        None => body.ends_with("\r\n0\r\n\r\n"),
    }
}

fn stream_of(words: &[&str]) -> Value {
    let mut body = chat(&format!("step {} step", words.join(" step ")));
    body["stream"] = json!(true);
    body
}

#[tokio::test]
async fn streams_of_other_words_have_equal_sequences_of_records() {
    let (host, _story) = enclave().await;
    let (short, short_records) = answer(&host, &stream_of(&["a", "b", "c"]), 4).await;
    let long = ["antidisestablishmentarianism", "\"\"\"\"\"\"", "héhéhéhé"];
    let (long, long_records) = answer(&host, &stream_of(&long), 4).await;
    assert!(short.contains("\"content\":\"a \""), "{short}");
    assert!(
        long.contains("\"content\":\"antidisestablishmentarianism \""),
        "{long}"
    );
    assert_eq!(short_records, long_records);
    // After the head: the comment; the role with the first word; two words; the reason and the end.
    let chunk = |size: usize| format!("{size:x}\r\n\r\n").len() + size;
    let end = "0\r\n\r\n".len();
    let sizes = [512, 1024, 512, 512, 1024].map(chunk);
    assert_eq!(short_records[1..5], sizes[..4]);
    assert_eq!(short_records[5..], [sizes[4] + end]);
}

#[tokio::test]
async fn whole_answers_of_other_words_and_refusals_are_equally_long() {
    let (host, _story) = enclave().await;
    let (_, short) = answer(&host, &chat("a"), 0).await;
    let (_, long) = answer(&host, &chat("antidisestablishmentarianism"), 0).await;
    let (refused, refusal) = answer(&host, &chat("long"), 0).await;
    assert_eq!(short, long);
    assert!(refused.contains("context_length_exceeded"), "{refused}");
    assert_eq!(short, refusal);
    assert_eq!(short.len(), 1);
}

#[tokio::test]
async fn a_paced_stream_has_records_of_one_size() {
    let mut configuration = configuration();
    configuration.extend_from_slice(b"padding = \"paced\"\n");
    let (host, _story) = enclave_of(configuration, Bounds::default()).await;
    let words = ["a", "antidisestablishmentarianism"];
    let (text, records) = answer(&host, &stream_of(&words), 3).await;
    assert!(text.contains("data: [DONE]"), "{text}");
    let slot = "1000\r\n\r\n".len() + 4096;
    // After the head; and the end leaves with the last.
    let (last, slots) = records[1..].split_last().unwrap();
    assert!(slots.iter().all(|size| *size == slot), "{records:?}");
    assert_eq!(*last, slot + "0\r\n\r\n".len());
}

/// What the padding costs, as docs/reference/performance.md has it.
#[tokio::test]
#[ignore = "prints a table: cargo test -p chrysalis-enclave padding_costs -- --ignored --nocapture"]
async fn padding_costs() {
    println!("| answer | padding | its bytes | on the wire | × |\n|---|---|---:|---:|---:|");
    for padding in ["bucket", "paced"] {
        let mut configuration = configuration();
        let line = format!("padding = \"{padding}\"\n");
        configuration.extend_from_slice(line.as_bytes());
        let (host, _story) = enclave_of(configuration, Bounds::default()).await;
        for (name, streamed) in [("streamed", true), ("whole", false)] {
            for words in [10, 100, 1000] {
                let mut body = chat(&"chrysalis ".repeat(words));
                body["max_tokens"] = json!(words);
                body["stream"] = json!(streamed);
                let (text, records) = answer(&host, &body, 0).await;
                let (_, text) = text.split_once("\r\n\r\n").unwrap();
                // Without comments, the lines of chunks, and white space.
                let own = if streamed {
                    let events = text.lines().filter(|line| line.starts_with("data: "));
                    events.map(|event| event.len() + "\n\n".len()).sum()
                } else {
                    text.trim_ascii_end().len()
                };
                let wire: usize = records.iter().map(|record| record + ADDED + 5).sum();
                let (times, tenths) = (wire / own, wire * 10 / own % 10);
                println!(
                    "| {name}, {words} tokens | {padding} | {own} | {wire} | {times}.{tenths} |"
                );
            }
        }
    }
}
