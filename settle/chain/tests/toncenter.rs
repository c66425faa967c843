//! The client against servers that fail, lie, or are behind: each answer is written here.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on fails its test"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use chrysalis_chain::{Address, Chain, ChainError, Toncenter, address, purse};
use serde_json::{Value, json};

/// What a server does with a request.
enum Does {
    Answers(u16, String),
    HangsUp,
}

/// A server that does these in turn, and what it was asked.
fn server(script: Vec<Does>) -> (Toncenter, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v2", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    thread::spawn(move || {
        for does in script {
            let (stream, _) = listener.accept().unwrap();
            let request = read(&stream);
            notes.lock().unwrap().push(request);
            if let Does::Answers(status, body) = does {
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\nlocation: /elsewhere\r\n\r\n",
                    body.len()
                );
                // A client that has read enough hangs up.
                let _ = (&stream).write_all(&[head.as_bytes(), body.as_bytes()].concat());
            }
        }
    });
    (Toncenter::new(&url, Some("a-secret-key".to_owned())), asked)
}

fn read(stream: &TcpStream) -> Value {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn ok(result: &Value) -> Does {
    Does::Answers(200, json!({"ok": true, "result": result}).to_string())
}

fn fails(status: u16, error: &str) -> Does {
    let body = json!({"ok": false, "error": error, "code": status});
    Does::Answers(status, body.to_string())
}

fn somebody() -> Address {
    address::parse("0:f00f53582b416a41cb8c64444819ce41caa49ac91c47f8bc4297fc6816cbbc41").unwrap()
}

/// An account in which this is changed.
fn account(change: impl FnOnce(&mut Value)) -> Value {
    let mut account = json!({
        "balance": "3000000000",
        "code": "",
        "data": "",
        "last_transaction_id": {"lt": "5000000", "hash": data_encoding::BASE64.encode(&[7; 32])},
        "sync_utime": 1_800_000_000_u32,
        "state": "uninitialized",
    });
    change(&mut account);
    account
}

fn look(script: Vec<Does>) -> Result<chrysalis_chain::Account, ChainError> {
    server(script).0.account(&somebody())
}

#[test]
fn an_account_is_read() {
    let seen = look(vec![ok(&account(|_| ()))]).unwrap();
    assert_eq!(
        (seen.balance, seen.at, seen.last.0),
        (3_000_000_000, 1_800_000_000, 5_000_000)
    );
    assert_eq!(seen.contract, None);
    let (code, data) = (purse::code(), purse::code());
    let active = account(|it| {
        it["state"] = "active".into();
        it["code"] = include_str!("../../contracts/purse.boc").trim().into();
        it["data"] = it["code"].clone();
        // As a number, too.
        it["balance"] = 7.into();
    });
    let seen = look(vec![ok(&active)]).unwrap();
    let contract = seen.contract.unwrap();
    assert_eq!(
        (seen.balance, contract.code, contract.data),
        (7, code, data)
    );
}

#[test]
fn what_may_pass_is_tried_again() {
    for passing in [
        Does::HangsUp,
        fails(500, "timeout"),
        fails(429, "too many requests"),
        Does::Answers(502, "<html>".to_owned()),
    ] {
        let (chain, asked) = server(vec![passing, ok(&account(|_| ()))]);
        assert!(chain.account(&somebody()).is_ok());
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0], asked[1]);
    }
}

#[test]
fn a_server_that_is_down_is_given_up_with_its_address_and_without_the_key() {
    let (chain, asked) = server((0..4).map(|_| fails(503, "maintenance")).collect());
    let error = chain.account(&somebody()).unwrap_err();
    assert_eq!(error.code(), "chain_unreachable");
    let text = format!("{error} {} {chain:?}", error.hint());
    assert!(
        text.contains("maintenance") && text.contains("127.0.0.1"),
        "{text}"
    );
    assert!(!text.contains("a-secret-key"), "{text}");
    assert_eq!(asked.lock().unwrap().len(), 4);
}

#[test]
fn what_is_no_answer_of_a_chain_is_refused_and_not_asked_for_again() {
    let cell = "te6ccgEBAQEAAgAAAA==";
    let wrong = [
        Does::Answers(200, "<html>".to_owned()),
        Does::Answers(200, "x".repeat(9 * 1024 * 1024)),
        Does::Answers(307, String::new()),
        fails(404, "no such method"),
        ok(&Value::Null),
        ok(&account(|it| it["state"] = "asleep".into())),
        ok(&account(|it| it["state"] = "active".into())),
        ok(&account(|it| {
            it["state"] = "active".into();
            it["code"] = cell.into();
        })),
        ok(&account(|it| {
            it["state"] = "active".into();
            (it["code"], it["data"]) = ("no cell".into(), cell.into());
        })),
        ok(&account(|it| it["balance"] = "-1".into())),
        ok(&account(|it| it["balance"] = "18446744073709551616".into())),
        ok(&account(|it| it["sync_utime"] = 5_000_000_000_u64.into())),
        ok(&account(|it| {
            it["last_transaction_id"]["hash"] = "AAAA".into();
        })),
    ];
    for (place, wrong) in wrong.into_iter().enumerate() {
        let (chain, asked) = server(vec![wrong]);
        let error = chain.account(&somebody()).unwrap_err();
        assert_eq!(error.code(), "chain_malformed", "{place}: {error}");
        assert_eq!(asked.lock().unwrap().len(), 1, "{place}");
    }
}

#[test]
fn a_refused_message_says_its_exit_code_where_it_was_told() {
    let said = "LITE_SERVER_UNKNOWN: cannot apply external message to current state : External message was not accepted\nCannot run message on account: inbound external message rejected by transaction ABC:\nexitcode=409, steps=12, gas_used=0\n";
    for (said, exit_code) in [
        (said.to_owned(), Some(409)),
        (said.replace("409", "-14"), Some(-14)),
        (
            "cannot apply external message to current state".to_owned(),
            None,
        ),
    ] {
        let (chain, _) = server(vec![fails(500, &said)]);
        let message = purse::message(&somebody(), None, &purse::code());
        let refused = chain.send(&message);
        assert_eq!(refused, Err(ChainError::Refused { exit_code }));
    }
}

#[test]
fn a_message_is_sent_again_where_the_answer_was_lost() {
    let (chain, asked) = server(vec![Does::HangsUp, ok(&json!({"@type": "ok"}))]);
    let message = purse::message(&somebody(), None, &purse::code());
    assert_eq!(chain.send(&message), Ok(()));
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0]["params"], asked[1]["params"]);
}

#[test]
fn transactions_of_others_or_of_before_are_no_answer() {
    use chrysalis_localnet::Local;
    use tycho_types::boc::Boc;

    let mut local = Local::new(1_800_000_000);
    local.give(&somebody(), 1_000_000_000);
    let transaction = local.transactions(&somebody())[0].inner().clone();
    let lt = local.transactions(&somebody())[0].load().unwrap().lt;
    let told = json!([{"data": Boc::encode_base64(transaction)}]);
    let (chain, _) = server(vec![ok(&told)]);
    let found = chain.transactions(&somebody(), lt - 1, 10).unwrap();
    assert_eq!(found[0].lt, lt);
    let other = Address::new(0, [1; 32].into());
    for (whose, after) in [(other, 0), (somebody(), lt)] {
        let (chain, _) = server(vec![ok(&told)]);
        let error = chain.transactions(&whose, after, 10).unwrap_err();
        assert_eq!(error.code(), "chain_malformed");
    }
    for wrong in [
        json!({}),
        json!([{"data": ""}]),
        json!([{"data": "te6ccgEBAQEAAgAAAA=="}]),
    ] {
        let (chain, _) = server(vec![ok(&wrong)]);
        let error = chain.transactions(&somebody(), 0, 10).unwrap_err();
        assert_eq!(error.code(), "chain_malformed");
    }
}
