//! Seeds of what comes through relays.

use chrysalis_ohttp::{Configuration, END, Form, Request, content, encapsulate, head};

use super::{Seed, seed};
use crate::targets::KEYS;

pub(super) fn seeds() -> Vec<Seed> {
    let request = Request {
        method: b"POST".to_vec(),
        scheme: b"https".to_vec(),
        authority: b"llm.example".to_vec(),
        path: b"/v1/chat/completions".to_vec(),
        headers: vec![(b"content-type".to_vec(), b"application/json".to_vec())],
        body: b"{\"model\": \"tiny\"}".to_vec(),
    };
    let message = request.encode_padded().expect("a request");
    let best = Configuration::best(KEYS.configurations()).expect("keys");
    let sealed = |form| encapsulate(&best, form, &message).expect("sealed").0;
    let headers = [(&b"content-type"[..], &b"text/event-stream"[..])];
    let answer = [
        head(200, headers),
        content(b"data: {}\n\n"),
        content(b"data: [DONE]\n\n"),
        END.to_vec(),
    ];
    vec![
        seed("encapsulated", "whole", sealed(Form::Whole)),
        seed("encapsulated", "chunked", sealed(Form::Chunked)),
        seed("encapsulated", "keys", KEYS.configurations()),
        seed("inside", "request", message),
        seed("inside", "answer", answer.concat()),
    ]
}
