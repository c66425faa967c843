//! Sizes and times, by tokio's own clock. What they become on the wire is in the story's tests.

use std::time::Duration;

use bytes::Bytes;
use chrysalis_wire::content::Content;
use futures_util::{Stream, StreamExt};

use super::*;
use crate::serve::{
    answer::{self, Broken},
    error::ApiError,
};

/// Frames, each so many milliseconds after the one before.
type Told = Vec<(u64, &'static str)>;

fn frames(told: Told) -> impl Stream<Item = Result<Frame<Bytes>, Broken>> {
    stream::iter(told).then(|(late, text)| async move {
        tokio::time::sleep(Duration::from_millis(late)).await;
        match text {
            "broken" => Err(Broken),
            text => Ok(Frame::data(Bytes::from_static(text.as_bytes()))),
        }
    })
}

/// What leaves, each with the milliseconds since the request.
async fn leaves(padding: Padding, told: Told) -> (Vec<(u128, Bytes)>, bool) {
    let padder = Padder::new(padding, &Method::POST);
    let answer = answer::events(Box::pin(frames(told)));
    let mut body = padder.fill(answer).await.into_body();
    let mut left = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return (left, false);
        };
        let at = padder.begun.elapsed().as_millis();
        left.push((at, frame.into_data().unwrap()));
    }
    (left, true)
}

/// What a client reads: the events without comments.
fn events(left: &[(u128, Bytes)]) -> Vec<String> {
    let mut content = Content::default();
    let pieces = left.iter().flat_map(|(_, bytes)| content.push(bytes));
    let text = String::from_utf8(pieces.collect()).unwrap();
    let events = text.split_terminator("\n\n");
    events
        .map(|event| event.strip_prefix("data: ").unwrap().to_owned())
        .collect()
}

fn sizes(left: &[(u128, Bytes)]) -> Vec<(u128, usize)> {
    left.iter().map(|(at, bytes)| (*at, bytes.len())).collect()
}

const LONG: &str = concat!(
    "data: [0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789]\n\n"
);

#[tokio::test(start_paused = true)]
async fn events_are_filled_and_those_that_wait_leave_together() {
    let told = vec![
        (0, "data: a\n\n"),
        (0, LONG),
        (5, "data: b\n\n"),
        (0, "data: [DONE]\n\n"),
    ];
    let (left, whole) = leaves(Padding::Bucket, told).await;
    assert!(whole);
    // The first has 9 bytes, the second 510, which leaves no room for a comment.
    assert_eq!(sizes(&left), [(0, 512 + 1024), (5, 1024)]);
    assert_eq!(
        events(&left),
        ["a", &LONG[6..LONG.len() - 2], "b", "[DONE]"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_breaks_after_what_came_before() {
    for (padding, told) in [
        (Padding::Bucket, vec![(0, "data: a\n\n"), (0, "broken")]),
        (Padding::Paced, vec![(0, "data: a\n\n"), (0, "broken")]),
    ] {
        let (left, whole) = leaves(padding, told).await;
        assert!(!whole, "{padding:?}");
        assert_eq!(events(&left), ["a"], "{padding:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn paced_answers_of_other_words_at_other_moments_have_equal_sizes_and_times() {
    let one = vec![
        (3, "data: a\n\n"),
        (60, LONG),
        (7, LONG),
        (900, "data: [DONE]\n\n"),
    ];
    let other = vec![
        (390, "data: establishments\n\n"),
        (1010, "data: [DONE]\n\n"),
    ];
    let (one_left, _) = leaves(Padding::Paced, one).await;
    let (other_left, _) = leaves(Padding::Paced, other).await;
    // Each ends before its second is over: slots from the ninth on, to the end of that second.
    let grid: Vec<(u128, usize)> = (8..=40).map(|tick| (tick * 50, 4096)).collect();
    assert_eq!(sizes(&other_left), grid);
    assert_eq!(sizes(&one_left), grid[..13]);
    assert_eq!(events(&one_left).len(), 4);
    assert_eq!(events(&other_left), ["establishments", "[DONE]"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_slot_has_no_room_for_goes_on_in_the_next() {
    // Every remainder, so that an event also ends one, two and three bytes before the end of a slot.
    for filler in 0..600 {
        let first = format!("data: {}\n\n", "x".repeat(4096 - 8 - filler));
        let first: &'static str = first.leak();
        let told = vec![(0, first), (0, LONG), (0, "data: b\n\n")];
        let (left, _) = leaves(Padding::Paced, told).await;
        assert!(
            left.iter().all(|(_, bytes)| bytes.len() == 4096),
            "{filler}"
        );
        assert_eq!(
            events(&left),
            [&first[6..first.len() - 2], &LONG[6..LONG.len() - 2], "b"],
            "{filler}"
        );
    }
}

/// The whole answer of this type and these bytes, and the milliseconds until it left.
async fn whole(
    padding: Padding,
    method: &Method,
    kind: &'static str,
    body: &'static str,
) -> (u128, Response<Body>) {
    let padder = Padder::new(padding, method);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let answer = padder.fill(answer::whole(StatusCode::OK, kind, body)).await;
    (padder.begun.elapsed().as_millis(), answer)
}

async fn bytes(answer: Response<Body>) -> Bytes {
    answer.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test(start_paused = true)]
async fn whole_answers_are_filled_by_white_space_and_stay_json() {
    let (at, answer) = whole(
        Padding::Bucket,
        &Method::POST,
        "application/json",
        "{\"a\":1}",
    )
    .await;
    assert_eq!(at, 1200);
    let body = bytes(answer).await;
    assert_eq!(body.len(), 512);
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(value, serde_json::json!({"a": 1}));

    let text = "text/plain; charset=utf-8";
    let (_, answer) = whole(Padding::Bucket, &Method::POST, text, "WEBVTT\n\nwords\n").await;
    let body = bytes(answer).await;
    assert_eq!(body.len(), 512);
    assert_eq!(body.trim_ascii_end(), b"WEBVTT\n\nwords");

    let (_, answer) = whole(Padding::Bucket, &Method::GET, "application/cmw+cbor", "x").await;
    assert_eq!(bytes(answer).await, "x");
}

#[tokio::test(start_paused = true)]
async fn whole_answers_leave_on_a_full_second_if_they_are_paced() {
    let json = "application/json";
    assert_eq!(
        whole(Padding::Paced, &Method::POST, json, "{}").await.0,
        2000
    );
    // What everyone may read does not wait.
    assert_eq!(
        whole(Padding::Paced, &Method::GET, json, "{}").await.0,
        1200
    );
}

#[tokio::test(start_paused = true)]
async fn heads_of_all_answers_are_equally_long() {
    let length = |answer: &Response<Body>| {
        let reason = answer.status().canonical_reason().unwrap().len();
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + 4);
        reason + headers.sum::<usize>() + "HTTP/1.1 200 \r\n".len()
    };
    let padder = Padder::new(Padding::Bucket, &Method::POST);
    for answer in [
        answer::json(StatusCode::OK, &serde_json::json!({})),
        answer::events(Box::pin(stream::empty())),
        answer::error(&ApiError::no_engine()),
        answer::error(&ApiError::evidence_busy()),
        answer::error(&ApiError::encoded_body()),
        answer::error(&ApiError::head_too_long()),
        answer::wrong_method(&[Method::GET, Method::HEAD]),
    ] {
        let status = answer.status();
        assert_eq!(length(&padder.fill(answer).await), HEAD, "{status}");
    }
}
