//! Text in, text out.

use std::time::Duration;

use crate::fake::{
    Scene,
    openai::{End, Reply, says},
    telegram::Refusal,
};

fn slowly(pieces: &[&str], every: u64) -> Reply {
    let pieces = pieces.iter().map(|&piece| piece.to_owned()).collect();
    Reply::Stream(
        pieces,
        Duration::from_millis(every),
        End::Done("stop", None),
    )
}

#[tokio::test]
async fn an_answer_grows_by_edits_at_telegrams_pace() {
    let words: Vec<String> = (0..40).map(|number| format!("word{number} ")).collect();
    let whole = words.concat();
    let scene = Scene::start(&["--system", "Be brief."], move |_| {
        Reply::Stream(
            words.clone(),
            Duration::from_millis(100),
            End::Done("stop", None),
        )
    })
    .await;
    let question = scene.telegram.says(1, "What is a chrysalis?");
    assert_eq!(scene.telegram.answers(1, 1).await, [whole.trim()]);
    let versions = scene.telegram.versions(1).remove(0);
    assert!((3..=7).contains(&versions.len()), "{versions:?}");
    for growing in &versions[..versions.len() - 1] {
        assert!(
            whole.starts_with(growing.strip_suffix(" …").unwrap()),
            "{growing}"
        );
    }
    let sent = scene.telegram.calls("SendMessage").remove(0).params;
    assert_eq!(sent["reply_parameters"]["message_id"], question);
    assert!(!scene.telegram.calls("SendChatAction").is_empty());
    let asked = scene.openai.asked.lock().unwrap()[0].clone();
    assert_eq!(
        (&asked["model"], &asked["stream"]),
        (&"smol".into(), &true.into())
    );
    assert_eq!(
        scene.openai.conversations(),
        [["Be brief.", "What is a chrysalis?"]]
    );
}

#[tokio::test]
async fn a_long_answer_becomes_several_messages_and_no_character_is_cut() {
    // Two UTF-16 units each, and an odd one before them.
    let whole = format!("a{}", "🦋".repeat(5000));
    let script = whole.clone();
    let scene = Scene::start(&[], move |_| {
        let characters: Vec<char> = script.chars().collect();
        let pieces = characters
            .chunks(500)
            .map(|part| part.iter().collect())
            .collect();
        Reply::Stream(pieces, Duration::from_millis(100), End::Done("stop", None))
    })
    .await;
    scene.telegram.says(1, "Butterflies, please");
    let shown = scene.telegram.answers(1, 3).await;
    assert_eq!(shown.concat(), whole);
    assert_eq!(shown.len(), 3);
}

#[tokio::test]
async fn it_waits_as_long_as_telegram_says() {
    let words = ["one ", "two ", "three ", "four ", "five"];
    let scene = Scene::start(&[], move |_| slowly(&words, 600)).await;
    scene.telegram.refuse("SendMessage", Refusal::RetryAfter(2));
    scene
        .telegram
        .refuse("EditMessageText", Refusal::RetryAfter(3));
    scene.telegram.says(1, "Count");
    assert_eq!(scene.telegram.answers(1, 1).await, [words.concat()]);
    // A plain answer waits as well.
    scene.telegram.refuse("SendMessage", Refusal::RetryAfter(1));
    scene.telegram.says(2, "/forget");
    assert_eq!(scene.telegram.answers(2, 1).await, ["Forgotten."]);
}

#[tokio::test]
async fn it_remembers_each_chat_until_told_to_forget() {
    let scene = Scene::start(&["--system", "S"], |words| says(&format!("re: {words}"))).await;
    scene.telegram.says(1, "one");
    scene.telegram.answers(1, 1).await;
    scene.telegram.says(2, "other");
    scene.telegram.answers(2, 1).await;
    scene.telegram.says(1, "two");
    scene.telegram.answers(1, 2).await;
    scene.telegram.says(1, "/forget");
    scene.telegram.answers(1, 3).await;
    scene.telegram.says(1, "three");
    scene.telegram.answers(1, 4).await;
    let expected: [&[&str]; 4] = [
        &["S", "one"],
        &["S", "other"],
        &["S", "one", "re: one", "two"],
        &["S", "three"],
    ];
    assert_eq!(scene.openai.conversations(), expected);
}

#[tokio::test]
async fn what_is_remembered_has_bounds() {
    let scene = Scene::start(&["--system", "S", "--remember", "2"], |words| {
        says(&format!("re: {words}"))
    })
    .await;
    for (number, words) in ["one", "two", "three"].into_iter().enumerate() {
        scene.telegram.says(1, words);
        scene.telegram.answers(1, number + 1).await;
    }
    assert_eq!(
        scene.openai.conversations()[2],
        ["S", "two", "re: two", "three"]
    );
}

#[tokio::test]
async fn a_silent_chat_is_forgotten() {
    let scene = Scene::start(&["--system", "S", "--forget-after", "0"], says).await;
    scene.telegram.says(1, "one");
    scene.telegram.answers(1, 1).await;
    scene.telegram.says(1, "two");
    scene.telegram.answers(1, 2).await;
    assert_eq!(scene.openai.conversations(), [["S", "one"], ["S", "two"]]);
}

#[tokio::test]
async fn commands_explain_the_bot_and_who_sees_what() {
    let scene = Scene::start(&[], says).await;
    scene.telegram.says(1, "/start");
    let start = scene.telegram.answers(1, 1).await.remove(0);
    assert!(
        start.contains("enclave") && start.contains("Telegram can"),
        "{start}"
    );
    scene.telegram.says(2, "/help");
    let help = scene.telegram.answers(2, 1).await.remove(0);
    for command in ["/start", "/help", "/forget"] {
        assert!(help.contains(command), "{help}");
    }
    assert!(scene.openai.conversations().is_empty());
}

#[tokio::test]
async fn an_answer_that_was_deleted_under_it_harms_nobody() {
    let scene = Scene::start(&[], |words| match words {
        "slow" => slowly(&["one ", "two ", "three "], 700),
        _ => says("quick"),
    })
    .await;
    scene.telegram.refuse(
        "EditMessageText",
        Refusal::Error(400, "Bad Request: message to edit not found"),
    );
    scene.telegram.says(1, "slow");
    scene.telegram.until(1, |shown| !shown.is_empty()).await;
    scene.telegram.says(1, "again");
    scene
        .telegram
        .until(1, |shown| shown.last().is_some_and(|last| last == "quick"))
        .await;
}

#[tokio::test]
async fn an_empty_answer_and_one_at_the_limit_say_so() {
    let scene = Scene::start(&["--max-tokens", "7"], |words| match words {
        "empty" => says(""),
        _ => Reply::Stream(
            vec!["cut".into()],
            Duration::ZERO,
            End::Done("length", None),
        ),
    })
    .await;
    scene.telegram.says(1, "empty");
    assert_eq!(
        scene.telegram.answers(1, 1).await,
        ["The model said nothing."]
    );
    scene.telegram.says(2, "long");
    assert_eq!(
        scene.telegram.answers(2, 1).await,
        ["cut\n\n(Cut off at 7 tokens.)"]
    );
}
