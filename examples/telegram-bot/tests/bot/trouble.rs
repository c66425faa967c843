//! What goes wrong is said in a sentence, by name.

use std::time::Duration;

use crate::fake::{
    Scene, USUAL,
    openai::{End, Reply, says},
    telegram::Telegram,
};

fn half(end: End) -> Reply {
    Reply::Stream(
        vec!["Half an ".into(), "answer".into()],
        Duration::from_millis(50),
        end,
    )
}

#[tokio::test]
async fn each_error_of_the_proxy_has_its_sentence() {
    let scene = Scene::start(&[], |words| match words {
        "402" => Reply::Status(402, "cap_too_low", "invalid_request_error", None),
        "429" => Reply::Status(429, "rate_limit_exceeded", "rate_limit_error", Some(7)),
        "503" => Reply::Status(503, "engine_unavailable", "server_error", Some(1)),
        "502" => Reply::Status(502, "engine_failed", "server_error", None),
        "lie" => Reply::Status(502, "launch_digest_unknown", "attestation_error", None),
        "long" => Reply::Status(
            400,
            "context_length_exceeded",
            "invalid_request_error",
            None,
        ),
        "model" => Reply::Status(404, "model_not_found", "invalid_request_error", None),
        "odd" => Reply::Status(500, "<b>odd</b>", "server_error", None),
        "cut" => half(End::Cut),
        "early" => half(End::Early),
        "event" => half(End::Error("trust_ended")),
        "at once" => Reply::Stream(vec![], Duration::ZERO, End::Error("engine_failed")),
        _ => says("fine"),
    })
    .await;
    let cases = [
        (
            "402",
            "The bot cannot pay for this answer (cap_too_low). Please tell the bot's owner.",
        ),
        (
            "429",
            "The model has too much to do (rate_limit_exceeded). Please ask again in 7 seconds.",
        ),
        (
            "503",
            "No provider can answer now (engine_unavailable). Please ask again in 1 second.",
        ),
        (
            "502",
            "The model failed (engine_failed). Please ask again later.",
        ),
        (
            "lie",
            "The enclave could not be verified (launch_digest_unknown), so nothing that it says is shown. Please tell the bot's owner.",
        ),
        (
            "long",
            "This conversation is too long for the model (context_length_exceeded). Send /forget, then ask again.",
        ),
        (
            "model",
            "The model does not take this (model_not_found). Please tell the bot's owner.",
        ),
        ("odd", "The model failed (no_code). Please ask again later."),
        (
            "cut",
            "Half an answer\n\nThe answer broke off here (connection_lost). Please ask again.",
        ),
        (
            "early",
            "Half an answer\n\nThe answer broke off here (incomplete_answer). Please ask again.",
        ),
        (
            "event",
            "Half an answer\n\nThe answer broke off here (trust_ended). Please ask again.",
        ),
        (
            "at once",
            "The answer broke off here (engine_failed). Please ask again.",
        ),
    ];
    for (user, (words, sentence)) in (1..).zip(cases) {
        scene.telegram.says(user, words);
        assert_eq!(scene.telegram.answers(user, 1).await, [sentence], "{words}");
    }
    // What was not answered whole is not shown to the model again.
    scene.telegram.says(9, "and now?");
    assert_eq!(scene.telegram.answers(9, 2).await[1], "fine");
    assert_eq!(scene.openai.conversations().last().unwrap().len(), 2);
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let telegram = Telegram::start().await;
    let nowhere = [
        "--api-url",
        &telegram.url,
        "--proxy",
        "http://127.0.0.1:1/v1",
    ];
    let _bot = crate::fake::Bot::start(&[&USUAL[..], &nowhere].concat());
    telegram.says(1, "What is a chrysalis?");
    let sentence = "The bot's proxy cannot be reached, so your message went nowhere. Please tell the bot's owner.";
    assert_eq!(telegram.answers(1, 1).await, [sentence]);
}
