//! Start, end, and everything around the token.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::fake::{
    Bot, Scene, USUAL,
    openai::{End, Reply, says},
    telegram::{Refusal, TOKEN, Telegram},
};

fn slow(seconds: u64) -> Reply {
    let pieces = vec!["begun ".to_owned(), "done".to_owned()];
    Reply::Stream(
        pieces,
        Duration::from_secs(seconds),
        End::Done("stop", None),
    )
}

#[tokio::test]
async fn sigterm_finishes_what_runs_and_sends_the_rest_away() {
    let mut scene = Scene::start(&[], |_| slow(1)).await;
    scene.telegram.says(1, "long");
    scene.telegram.until(1, |shown| !shown.is_empty()).await;
    scene.telegram.says(1, "waits");
    let began = Instant::now();
    while scene.telegram.calls("GetUpdates").len() < 3 {
        assert!(began.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    scene.terminate();
    assert!(scene.ended().await.success());
    let restarting = "The bot is being restarted. Please send this again in a minute.";
    assert_eq!(scene.telegram.shown(1), ["begun done", restarting]);
    // Both were confirmed: the next bot does not get them again.
    assert_eq!(scene.telegram.unconfirmed(), 0);
}

#[tokio::test]
async fn what_does_not_end_is_cut_off() {
    let mut scene = Scene::start(&["--grace", "1"], |_| slow(20)).await;
    scene.telegram.says(1, "long");
    while scene.openai.conversations().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = Instant::now();
    scene.terminate();
    assert!(scene.ended().await.success());
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn where_telegram_refuses_it_asks_ever_more_seldom() {
    let telegram = Telegram::start().await;
    for _ in 0..3 {
        telegram.refuse(
            "GetUpdates",
            Refusal::Error(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot \
            instance is running",
            ),
        );
    }
    let bot = Bot::start(&[&USUAL[..], &["--api-url", &telegram.url]].concat());
    let began = Instant::now();
    while telegram.calls("GetUpdates").len() < 3 {
        assert!(began.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let at: Vec<_> = telegram
        .calls("GetUpdates")
        .iter()
        .map(|call| call.at)
        .collect();
    assert!(at[1] - at[0] >= Duration::from_millis(950), "{at:?}");
    assert!(at[2] - at[1] >= Duration::from_millis(1950), "{at:?}");
    assert!(
        bot.log().contains("another_program_uses_this_token"),
        "{}",
        bot.log()
    );
}

#[tokio::test]
async fn polling_waits_as_long_as_telegram_says_and_goes_on() {
    let scene = Scene::start(&[], |_| says("yes")).await;
    scene.telegram.refuse("GetUpdates", Refusal::RetryAfter(2));
    scene.telegram.says(1, "hello");
    scene.telegram.answers(1, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_telegram_refuses_ends_the_bot_and_stays_secret() {
    let telegram = Telegram::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let fails = |token: &str| {
        std::fs::write(&file, token).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_telegram-bot"))
            .args(USUAL)
            .args(["--api-url", &telegram.url, "--token-file"])
            .arg(&file)
            .env_clear()
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.contains("Secret"), "{said}");
        said
    };
    let fails = |token: &str| tokio::task::block_in_place(|| fails(token));
    assert!(fails("123:OtherSecret\n").contains("Telegram does not know this token"));
    assert!(fails("Secret without a colon").contains("not a bot's token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_comes_from_a_file_and_stands_in_no_argument() {
    let telegram = Telegram::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let bot = Bot::start(
        &[
            &USUAL[..],
            &[
                "--api-url",
                &telegram.url,
                "--token-file",
                file.to_str().unwrap(),
            ],
        ]
        .concat(),
    );
    telegram.says(1, "/forget");
    telegram.answers(1, 1).await;
    let arguments = std::fs::read(format!("/proc/{}/cmdline", bot.child.id())).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(TOKEN));
}

#[tokio::test]
async fn the_token_is_in_no_error_of_the_network() {
    // Nothing listens; the log is searched when the bot is dropped.
    let bot = Bot::start(&[&USUAL[..], &["--api-url", "http://127.0.0.1:1/"]].concat());
    let began = Instant::now();
    while !bot.log().contains("unreachable") {
        assert!(began.elapsed() < Duration::from_secs(10), "{}", bot.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Telegram answers something that is none of its forms, with a chat in it.
    let scene = Scene::start(&[], |_| says("yes")).await;
    scene
        .telegram
        .refuse("GetUpdates", Refusal::Error(400, "canary"));
    scene.telegram.says(1, "hello");
    scene.telegram.answers(1, 1).await;
}

#[test]
fn help_has_an_example_and_no_way_to_pass_the_token() {
    let output = Command::new(env!("CARGO_BIN_EXE_telegram-bot"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(
        help.contains(
            "Example:\n  $ chrysalis proxy --network network.json --network-key network.pub"
        ),
        "{help}"
    );
    assert!(
        help.contains("--token-file") && !help.contains("--token "),
        "{help}"
    );
    // Nobody may ask unless somebody is named.
    let output = Command::new(env!("CARGO_BIN_EXE_telegram-bot"))
        .args(["--model", "smol"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("--allow")
    );
}
