//! Every endpoint is paid for, by what it counts.

use chrysalis_wire::multipart::Writer;

use super::*;

/// A request of every endpoint that takes JSON.
pub(super) fn requests() -> Vec<(&'static str, Value)> {
    let said = json!([{"role": "user", "content": "one two"}]);
    vec![
        (CHAT, json!({"model": "tiny", "messages": said})),
        (
            "POST /v1/completions",
            json!({"model": "tiny", "prompt": "one two"}),
        ),
        (
            "POST /v1/responses",
            json!({"model": "tiny", "input": "one two"}),
        ),
        (
            "POST /v1/messages",
            json!({"model": "tiny", "max_tokens": 9, "messages": said}),
        ),
        (
            "POST /v1/embeddings",
            json!({"model": "embedding", "input": "one two"}),
        ),
        (
            "POST /v1/rerank",
            json!({"model": "rerank", "query": "one", "documents": ["two"]}),
        ),
    ]
}

const TRANSCRIPTIONS: &str = "POST /v1/audio/transcriptions";

/// A form with two seconds of sound, and its header.
fn recording(stream: bool) -> (String, Vec<u8>) {
    let samples = 1000_i16.to_le_bytes().repeat(32_000);
    let length = u32::try_from(samples.len()).unwrap();
    let mut file = b"RIFF____WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend(16_000_u32.to_le_bytes());
    file.extend(32_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(length.to_le_bytes());
    file.extend(samples);
    let mut form = Writer::new("0123".into(), 0);
    form.text("model", "speech");
    if stream {
        form.text("stream", "true");
    }
    form.file("file", "a.wav", "audio/wav", &[&file]);
    let (boundary, body) = form.finish();
    let header = format!("content-type: multipart/form-data; boundary={boundary}\r\n");
    (header, body)
}

#[tokio::test]
async fn text_costs_its_tokens() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::new(&host).await;
    let mut owed = 0;
    for (start, body) in requests() {
        let job = payer.paid(start, &body).await;
        let (units, amount) = match body["model"].as_str() {
            Some("tiny") => ([2, 0, 2, 0], 6),
            _ => ([3, 0, 0, 0], 3),
        };
        owed += amount;
        assert_eq!((job.units, job.amount), (units, amount), "{start}");
        assert_eq!(job.cumulative, owed);
    }
    for (start, mut body) in requests().into_iter().take(4) {
        body["stream"] = json!(true);
        let job = payer.paid(start, &body).await;
        assert_eq!((job.units, job.amount), ([2, 0, 2, 0], 6), "{start}");
    }
}

#[tokio::test]
async fn sound_costs_its_milliseconds() {
    let (host, _story) = enclave("required").await;
    let mut payer = Payer::with(&host, 0, 1999).await;
    for stream in [false, true] {
        let (header, body) = recording(stream);
        for enough in [false, true] {
            let number = payer.next();
            let headers = payer.headers(number, "speech") + &header;
            let answer = payer.connection.post(TRANSCRIPTIONS, &headers, &body).await;
            if enough {
                assert_eq!(answer.status, 200, "{}", answer.text());
                let job = payer.accept(&answer, number, &body, "speech");
                assert_eq!((job.units, job.amount), ([0, 0, 0, 2000], 2000));
            } else {
                let error = &answer.json()["error"];
                assert_eq!(error["code"], "cap_too_low", "{error}");
                payer.cap = error["wanted"].as_u64().unwrap();
            }
        }
    }
    assert_eq!(payer.cap, 4000);
    let (header, body) = recording(false);
    let mut connection = Connection::new(&host).await;
    let answer = connection.post(TRANSCRIPTIONS, &header, &body).await;
    let error = &answer.json()["error"];
    assert_eq!(
        (answer.status, &error["code"]),
        (402, &json!("payment_required"))
    );
}
