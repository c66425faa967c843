//! Against the gateway's half: what is asked and answered, and every code that can be thrown.

use chrysalis_ohttp::{END, Form, GatewayKeys, NONCE, Request as Inside, SEED, content, head};
use sha2_011::{Digest, Sha256};
use zeroize::Zeroizing;

use super::*;

fn gateway() -> GatewayKeys {
    GatewayKeys::new(8, &Zeroizing::new([7; SEED]))
}

fn key_of(list: &[u8]) -> Result<Key, String> {
    Key::new(list, &Sha256::digest(list))
}

fn exchange() -> Exchange {
    let key = key_of(gateway().configurations()).expect("keys");
    let mut request = Request::new("POST", "enclave.invalid", "/v1/chat/completions?a=b");
    request.header("x-one", "\u{e9}").expect("bytes");
    request.body(b"{}".to_vec());
    key.seal(&request).expect("sealed")
}

/// The exchange, and an answer of these pieces to what it asks, the last one with the final chunk.
fn answered(pieces: &[&[u8]]) -> (Exchange, Vec<u8>) {
    let mut exchange = exchange();
    let opened = gateway().open(Form::Chunked, &exchange.sealed());
    let nonce = [5; NONCE];
    let mut sealer = opened
        .expect("ours")
        .answering
        .begin(&nonce)
        .expect("a key");
    let mut answer = nonce.to_vec();
    for piece in pieces {
        answer.extend(sealer.piece(piece).expect("sealed"));
    }
    answer.extend(sealer.last(&END).expect("sealed"));
    (exchange, answer)
}

fn code<T>(outcome: Result<T, String>) -> String {
    let thrown = outcome.err().expect("an error");
    let (code, sentence) = thrown.split_once(": ").expect("a code and a sentence");
    assert!(!sentence.is_empty());
    code.to_owned()
}

#[test]
fn what_is_asked_is_what_the_gateway_opens() {
    let mut exchange = exchange();
    let sealed = exchange.sealed();
    let opened = gateway().open(Form::Chunked, &sealed).unwrap();
    assert_eq!(opened.message.len(), chrysalis_ohttp::MIN_PADDED);
    let request = Inside {
        method: b"POST".to_vec(),
        scheme: b"https".to_vec(),
        authority: b"enclave.invalid".to_vec(),
        path: b"/v1/chat/completions?a=b".to_vec(),
        headers: vec![(b"x-one".to_vec(), vec![0xe9])],
        body: b"{}".to_vec(),
    };
    assert_eq!(Inside::decode(&opened.message), Ok(request));
    assert!(exchange.sealed().is_empty(), "it is sent once");
    let mut request = Request::new("GET", "a", "/");
    assert_eq!(code(request.header("x", "\u{100}")), "protocol_error");
}

#[test]
fn an_answer_is_read_as_it_arrives_and_whole_only_at_its_end() {
    let first = head(200, [(&b"x-two"[..], &[0xe9][..])]);
    let (mut exchange, answer) = answered(&[&first, &content(b"one"), &content(b"two")]);
    let (mut status, mut read) = (None, Vec::new());
    for byte in answer {
        exchange.push(&[byte]).unwrap();
        status = exchange.status().unwrap();
        if status.is_some() {
            read.extend(exchange.content().unwrap());
        }
    }
    assert_eq!(status, Some(200));
    assert_eq!(exchange.headers(), ["x-two", "\u{e9}"]);
    assert_eq!(read.concat(), b"onetwo");
    exchange.end().unwrap();
    assert_eq!(exchange.content(), Ok(None));
    assert_eq!(code(exchange.push(&[0])), "protocol_error");
}

#[test]
fn keys_count_only_if_evidence_names_them_and_they_last() {
    let list = gateway().configurations().to_vec();
    assert!(key_of(&list).is_ok());
    assert_eq!(code(Key::new(&list, &[0; 32])), "relay_keys_unproved");
    assert_eq!(code(Key::new(&list, &[])), "relay_keys_unproved");
    let renewed = GatewayKeys::new(10, &Zeroizing::new([8; SEED]));
    let of_another_epoch = Key::new(renewed.configurations(), &Sha256::digest(&list));
    assert_eq!(code(of_another_epoch), "relay_keys_unproved");
    let first = 2 + usize::from(u16::from_be_bytes([list[0], list[1]]));
    assert_eq!(code(key_of(&list[first..])), "key_agreement_weak");
    assert_eq!(code(key_of(b"none")), "protocol_error");
}

#[test]
fn each_lie_about_an_answer_has_a_code() {
    let heard = |change: &dyn Fn(&mut Vec<u8>)| {
        let first = head(200, []);
        let (mut exchange, mut answer) = answered(&[&first, &content(b"one"), &content(b"two")]);
        change(&mut answer);
        exchange.push(&answer)?;
        exchange.end()?;
        assert_eq!(exchange.status()?, Some(200));
        while exchange.content()?.is_some() {}
        Ok(())
    };
    assert_eq!(heard(&|_| ()), Ok(()));
    assert_eq!(code(heard(&|it| it.truncate(10))), "incomplete_answer");
    assert_eq!(
        code(heard(&|it| it.truncate(NONCE + 21))),
        "incomplete_answer"
    );
    assert_eq!(code(heard(&|it| it[NONCE + 3] ^= 1)), "answer_altered");
    assert_eq!(code(heard(&|it| it[0] ^= 1)), "answer_altered");
    assert_eq!(code(heard(&|it| it.push(0))), "answer_altered");
    assert_eq!(code(heard(&|it| it[NONCE] = 0xff)), "answer_altered");
    // The answer to another request.
    let (_, before) = answered(&[&head(200, [])]);
    assert_eq!(code(heard(&|it| it.clone_from(&before))), "answer_altered");
}

#[test]
fn what_an_enclave_never_answers_has_a_code() {
    let heard = |pieces: &[&[u8]]| {
        let (mut exchange, answer) = answered(pieces);
        exchange.push(&answer)?;
        exchange.end()?;
        exchange.status()?;
        while exchange.content()?.is_some() {}
        Ok(())
    };
    assert_eq!(code(heard(&[&[1]])), "protocol_error");
    // Sealed as it should be, and cut inside.
    let cut = content(b"more than comes");
    assert_eq!(
        code(heard(&[&head(200, []), &cut[..3]])),
        "incomplete_answer"
    );
}
