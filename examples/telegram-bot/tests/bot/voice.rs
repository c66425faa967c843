//! Recordings in, text out. The voice message is a real one: OGG with Opus.

use serde_json::{Value, json};

use crate::fake::{Scene, USUAL, openai::says, telegram::Refusal};

/// President Kennedy, 4.4 s; where it is from: tests/clients/audio/README.md.
const ASK: &[u8] = include_bytes!("../../../../tests/clients/audio/ask.ogg");
const LARGEST: u64 = 20 * 1024 * 1024;
const TOO_LARGE: &str = "This recording is over 20 MB, the most that Telegram gives to bots. Please send it in shorter pieces.";

fn voice(id: &str, size: u64) -> Value {
    json!({"voice": {"file_id": id, "file_unique_id": id, "duration": 5, "mime_type": "audio/ogg", "file_size": size}})
}

#[tokio::test]
async fn a_voice_message_is_written_down_then_answered() {
    assert!(ASK.starts_with(b"OggS") && ASK.windows(8).any(|part| part == b"OpusHead"));
    let scene = Scene::start(&["--system", "S"], |_| says("A pupa.")).await;
    // Two units more than characters.
    scene.openai.hears(" Say 🦋🦋 in German. ", &[]);
    scene.telegram.keep("ask", ASK.len() as u64, ASK);
    let number = scene.telegram.writes(1, 1, &voice("ask", ASK.len() as u64));
    assert_eq!(
        scene.telegram.answers(1, 2).await,
        ["Say 🦋🦋 in German.", "A pupa."]
    );
    let quote = scene.telegram.calls("SendMessage").remove(0).params;
    assert_eq!(
        quote["entities"],
        json!([{"type": "blockquote", "offset": 0, "length": 19}])
    );
    assert_eq!(quote["reply_parameters"]["message_id"], number);
    let heard = scene.openai.heard.lock().unwrap()[0].clone();
    assert_eq!(
        (heard.model.as_str(), heard.name.as_str()),
        ("whisper", "voice.ogg")
    );
    assert_eq!(heard.bytes, ASK);
    assert_eq!(scene.openai.conversations(), [["S", "Say 🦋🦋 in German."]]);
}

#[tokio::test]
async fn audio_and_video_notes_are_recordings_too() {
    let scene = Scene::start(&[], |_| says("Yes.")).await;
    for (user, kind, name) in [(1, "audio", "song.mp3"), (2, "video_note", "note.mp4")] {
        scene.telegram.keep(kind, 9, &b"recording"[..]);
        let file = json!({"file_id": kind, "file_unique_id": kind, "duration": 5, "mime_type": "audio/mpeg", "length": 240, "file_name": "song.mp3", "file_size": 9});
        scene.telegram.writes(user, user, &json!({ kind: file }));
        assert_eq!(
            scene.telegram.answers(user, 2).await,
            ["What is a chrysalis?", "Yes."]
        );
        assert_eq!(
            scene.openai.heard.lock().unwrap().last().unwrap().name,
            name
        );
    }
}

#[tokio::test]
async fn a_recording_over_telegrams_limit_is_declined_wherever_that_shows() {
    let scene = Scene::start(&[], |_| says("no")).await;
    // The message says so: nothing is asked.
    scene.telegram.writes(1, 1, &voice("large", LARGEST + 1));
    assert_eq!(scene.telegram.answers(1, 1).await, [TOO_LARGE]);
    assert!(scene.telegram.calls("GetFile").is_empty());
    // getFile says so.
    scene.telegram.keep("larger", LARGEST + 1, &b""[..]);
    scene.telegram.writes(2, 2, &voice("larger", 0));
    assert_eq!(scene.telegram.answers(2, 1).await, [TOO_LARGE]);
    // The bytes say so.
    scene.telegram.keep("lie", 9, vec![0; 21 * 1024 * 1024]);
    scene.telegram.writes(3, 3, &voice("lie", 9));
    assert_eq!(scene.telegram.answers(3, 1).await, [TOO_LARGE]);
    assert!(scene.openai.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_recording_that_is_gone_or_silent_is_named() {
    let scene = Scene::start(&[], |_| says("no")).await;
    scene.telegram.writes(1, 1, &voice("gone", 9));
    let gone = "Telegram did not give me this recording. Please send it again.";
    assert_eq!(scene.telegram.answers(1, 1).await, [gone]);
    scene.openai.hears(" ", &[]);
    scene.telegram.keep("silence", 9, &b"recording"[..]);
    scene.telegram.writes(2, 2, &voice("silence", 9));
    assert_eq!(
        scene.telegram.answers(2, 1).await,
        ["I heard no words in this recording."]
    );
    assert!(scene.openai.conversations().is_empty());
}

#[tokio::test]
async fn getting_a_file_waits_as_long_as_telegram_says() {
    let scene = Scene::start(&[], |_| says("Yes.")).await;
    scene.telegram.refuse("GetFile", Refusal::RetryAfter(1));
    scene.telegram.keep("ask", 9, &b"recording"[..]);
    scene.telegram.writes(1, 1, &voice("ask", 9));
    assert_eq!(scene.telegram.answers(1, 2).await[1], "Yes.");
}

#[tokio::test]
async fn without_a_voice_model_recordings_are_declined() {
    let scene = Scene::with(&USUAL[..3], |_| says("no")).await;
    scene.telegram.writes(1, 1, &voice("ask", 9));
    assert_eq!(
        scene.telegram.answers(1, 1).await,
        ["This bot does not listen to voice messages. Please write."]
    );
    assert!(scene.telegram.calls("GetFile").is_empty());
}
