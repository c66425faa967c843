//! The bot in front of a real enclave: `ENCLAVE=1 make test-examples` starts one and names its proxy.

use std::time::Instant;

use serde_json::json;

use crate::fake::{Bot, telegram::Telegram};

#[tokio::test]
#[ignore = "needs a proxy to an enclave: ENCLAVE=1 make test-examples"]
async fn a_voice_message_is_heard_and_answered_in_an_enclave() {
    let proxy = std::env::var("CHRYSALIS_PROXY").expect("CHRYSALIS_PROXY");
    let telegram = Telegram::start().await;
    let models = [
        "--model",
        "smollm2-135m-instruct",
        "--voice-model",
        "whisper-base",
        "--max-tokens",
        "48",
    ];
    let servers = [
        "--allow",
        "1",
        "--api-url",
        &telegram.url,
        "--proxy",
        &proxy,
    ];
    // The limit has it ask for receipts, which real ones then are.
    let _bot = Bot::start(&[&models[..], &servers, &["--daily-nano", "1"]].concat());
    let ask = include_bytes!("../../../../tests/clients/audio/ask.ogg");
    telegram.keep("ask", ask.len() as u64, &ask[..]);
    let voice = json!({"voice": {
        "file_id": "ask", "file_unique_id": "ask", "duration": 5, "mime_type": "audio/ogg", "file_size": ask.len(),
    }});
    let began = Instant::now();
    telegram.writes(1, 1, &voice);
    let heard = telegram.answers(1, 1).await.remove(0);
    println!("heard after {:?}: {heard}", began.elapsed());
    assert!(
        heard
            .to_lowercase()
            .contains("ask not what your country can do for you"),
        "{heard}"
    );
    let answered = telegram.answers(1, 2).await.remove(1);
    println!("answered after {:?}: {answered:?}", began.elapsed());
    assert!(!answered.contains("Please"), "{answered}");
    assert_eq!(telegram.broken(), Vec::<String>::new());
}
