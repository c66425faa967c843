//! Who is answered, and how much.

use chrysalis_settle::{End as Ended, Job, Receipt};
use serde_json::{Value, json};

use crate::fake::{
    Scene,
    openai::{End, Reply, says},
};

const MODEL: [&str; 4] = ["--model", "smol", "--voice-model", "whisper"];
const USED_UP: &str = "Today's budget is used up. A new one begins at 00:00 UTC.";

/// A receipt for this much, as the proxy hands it on. Its signature is the proxy's to check.
fn receipt(amount: u64) -> String {
    let job = Job {
        seq: 1,
        job: [7; 16],
        claims: [1; 32],
        evidence: [2; 32],
        epoch: 3,
        quote: [4; 32],
        units: [10, 0, 20, 0],
        amount,
        cumulative: amount,
        request: [5; 32],
        response: [6; 32],
        end: Ended::Stop,
        began: 1,
        ended: 2,
    };
    let receipt = Receipt {
        job: job.encode(),
        signature: [8; 64],
    };
    receipt.to_text()
}

fn mention(text: &str) -> Value {
    json!({"text": text, "entities": [{"type": "mention", "offset": 0, "length": 14}]})
}

#[tokio::test]
async fn only_those_who_are_named_are_answered() {
    let options = ["--allow", "1", "--allow", "-100"];
    let scene = Scene::with(&[&MODEL[..], &options].concat(), |_| says("yes")).await;
    scene.telegram.says(2, "canary");
    let told = scene.telegram.answers(2, 1).await;
    assert_eq!(
        told,
        ["This bot answers only people that its owner has named. Your number is 2."]
    );
    scene.telegram.says(2, "/start");
    scene
        .telegram
        .until(2, |shown| {
            shown.len() == 2 && shown[1].contains("Your number is 2.")
        })
        .await;
    // A stranger in a group that is not named is not answered at all; a named user is.
    scene.telegram.writes(-5, 2, &mention("@chrysalis_bot a"));
    scene.telegram.writes(-5, 1, &mention("@chrysalis_bot b"));
    assert_eq!(scene.telegram.answers(-5, 1).await, ["yes"]);
    // So is everyone in a group that is named.
    scene.telegram.writes(-100, 3, &mention("@chrysalis_bot c"));
    assert_eq!(scene.telegram.answers(-100, 1).await, ["yes"]);
    let asked: Vec<_> = scene
        .openai
        .conversations()
        .iter()
        .map(|all| all[1].clone())
        .collect();
    assert_eq!(asked, ["b", "c"]);
}

#[tokio::test]
async fn in_a_group_it_speaks_only_when_spoken_to() {
    let scene = Scene::start(&[], |_| says("yes")).await;
    scene.telegram.writes(-5, 1, &json!({"text": "canary"}));
    scene.telegram.writes(-5, 1, &json!({"text": "/help"}));
    scene
        .telegram
        .writes(-5, 1, &mention("@chrysalis_bot you?"));
    assert_eq!(scene.telegram.answers(-5, 1).await, ["yes"]);
    let own = json!({
        "message_id": 3, "date": 1_700_000_000, "chat": {"id": -5, "type": "supergroup", "title": "A group"}, "text": "yes",
        "from": {"id": crate::fake::telegram::BOT, "is_bot": true, "first_name": "Chrysalis"},
    });
    scene
        .telegram
        .writes(-5, 1, &json!({"text": "really?", "reply_to_message": own}));
    assert_eq!(scene.telegram.answers(-5, 2).await, ["yes", "yes"]);
    assert_eq!(scene.openai.conversations().len(), 2);
}

#[tokio::test]
async fn a_day_has_so_many_messages_for_each_user() {
    let scene = Scene::start(&["--daily-requests", "2"], |_| says("yes")).await;
    for number in 1..=2 {
        scene.telegram.says(1, "more");
        scene.telegram.answers(1, number).await;
    }
    scene.telegram.says(1, "more");
    assert_eq!(scene.telegram.answers(1, 3).await[2], USED_UP);
    // Wherever that user writes, but no other.
    scene
        .telegram
        .writes(-5, 1, &mention("@chrysalis_bot more"));
    assert_eq!(scene.telegram.answers(-5, 1).await, [USED_UP]);
    scene.telegram.says(2, "more");
    assert_eq!(scene.telegram.answers(2, 1).await, ["yes"]);
    scene.telegram.says(1, "/help");
    scene.telegram.answers(1, 4).await;
}

#[tokio::test]
async fn a_day_has_so_many_nano_by_receipts_of_streams() {
    let scene = Scene::start(&["--daily-nano", "1000"], |_| {
        Reply::Stream(
            vec!["yes".into()],
            std::time::Duration::ZERO,
            End::Done("stop", Some(receipt(600))),
        )
    })
    .await;
    for number in 1..=2 {
        scene.telegram.says(1, "more");
        assert_eq!(
            scene.telegram.answers(1, number).await.pop().unwrap(),
            "yes"
        );
    }
    scene.telegram.says(1, "more");
    assert_eq!(scene.telegram.answers(1, 3).await[2], USED_UP);
}

#[tokio::test]
async fn transcriptions_count_by_the_proxys_header_or_their_receipt() {
    for header in [
        ("x-chrysalis-spent", "1000".to_owned()),
        ("x-chrysalis-receipt", receipt(1000)),
    ] {
        let scene = Scene::start(&["--daily-nano", "1000"], |_| says("yes")).await;
        scene.openai.hears("words", &[header]);
        scene.telegram.keep("ask", 9, &b"recording"[..]);
        let voice = json!({"voice": {"file_id": "ask", "file_unique_id": "ask", "duration": 5, "mime_type": "audio/ogg", "file_size": 9}});
        scene.telegram.writes(1, 1, &voice);
        scene.telegram.answers(1, 2).await;
        scene.telegram.says(1, "more");
        assert_eq!(scene.telegram.answers(1, 3).await[2], USED_UP);
    }
}
