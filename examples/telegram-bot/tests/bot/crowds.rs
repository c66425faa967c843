//! Many messages at once.

use std::time::{Duration, Instant};

use crate::fake::{
    Scene,
    openai::{End, Reply},
};

fn slow(words: &str) -> Reply {
    Reply::Stream(
        vec![words.into()],
        Duration::from_millis(400),
        End::Done("stop", None),
    )
}

#[tokio::test]
async fn one_chats_flood_keeps_no_other_waiting() {
    let scene = Scene::start(&[], slow).await;
    scene.telegram.says(3, "awake?");
    scene.telegram.answers(3, 1).await;
    for number in 0..50 {
        scene.telegram.says(1, &format!("flood {number}"));
    }
    let began = Instant::now();
    scene.telegram.says(2, "quiet");
    scene.telegram.answers(2, 1).await;
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    // Four that waited, perhaps one that was taken before them, and a word about the rest; on a busy machine the flood comes in pieces.
    let few = |shown: &[String]| (5..=12).contains(&shown.len());
    scene.telegram.until(1, few).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let shown = scene.telegram.shown(1);
    assert!(few(&shown), "{shown:?}");
    let busy = shown
        .iter()
        .filter(|text| text.starts_with("One thing after the other"));
    assert!((1..=2).contains(&busy.count()), "{shown:?}");
    assert_eq!(scene.openai.most_at_once(), 2);
}

#[tokio::test]
async fn no_more_than_so_many_are_answered_at_once() {
    let scene = Scene::start(&["--jobs", "2"], slow).await;
    for user in 1..=6 {
        scene.telegram.says(user, "me");
    }
    for user in 1..=6 {
        scene.telegram.answers(user, 1).await;
    }
    assert_eq!(scene.openai.most_at_once(), 2);
}
