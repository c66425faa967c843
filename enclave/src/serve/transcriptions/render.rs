//! What was heard, in the format that was asked for.

use std::fmt::Write;

use serde_json::{Value, json};

use super::heard::Heard;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text,
    Srt,
    Vtt,
    VerboseJson,
}

/// Of what `verbose_json` says when it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Times {
    pub(super) segments: bool,
    pub(super) words: bool,
}

impl Times {
    /// What is said where nothing is asked for.
    pub(super) const SEGMENTS: Self = Self {
        segments: true,
        words: false,
    };
}

/// A body, and its media type.
pub(super) fn body(heard: &Heard, format: Format, times: Times) -> (&'static str, String) {
    const TEXT: &str = "text/plain; charset=utf-8";
    const JSON: &str = "application/json";
    match format {
        Format::Json => {
            let answer = json!({"text": heard.text(), "usage": usage(heard)});
            (JSON, answer.to_string())
        }
        Format::Text => (TEXT, heard.text() + "\n"),
        Format::Srt => (TEXT, srt(heard)),
        Format::Vtt => (TEXT, vtt(heard)),
        Format::VerboseJson => (JSON, verbose(heard, times).to_string()),
    }
}

/// The data of the events of a stream: a delta for each segment after those that were sent.
pub(super) fn deltas(heard: &Heard, sent: usize) -> Vec<Value> {
    let pieces = heard.pieces().skip(sent);
    pieces
        .map(|delta| json!({"type": "transcript.text.delta", "delta": delta}))
        .collect()
}

/// And of its last event: all of it. `usage` in it would count tokens, which is not what audio is measured in here.
pub(super) fn done(heard: &Heard) -> Value {
    json!({"type": "transcript.text.done", "text": heard.text()})
}

/// Whole seconds, begun ones counted.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a length of audio in seconds"
)]
fn usage(heard: &Heard) -> Value {
    json!({"type": "duration", "seconds": heard.seconds.ceil() as u64})
}

fn verbose(heard: &Heard, times: Times) -> Value {
    let mut verbose = json!({
        "task": "transcribe",
        // One that was not heard has no name: nothing was said.
        "language": heard.language.map_or("", |language| language.name),
        "duration": heard.seconds,
        "text": heard.text(),
        "usage": usage(heard),
    });
    if times.segments {
        verbose["segments"] = segments(heard);
    }
    if times.words {
        verbose["words"] = words(heard);
    }
    verbose
}

fn words(heard: &Heard) -> Value {
    let words = heard.segments.iter().flat_map(|segment| &segment.words);
    words
        .map(|word| json!({"word": word.text, "start": word.start, "end": word.end}))
        .collect()
}

fn segments(heard: &Heard) -> Value {
    heard
        .segments
        .iter()
        .enumerate()
        .map(|(id, segment)| {
            json!({
                "id": id,
                "seek": hundredths(segment.start),
                "start": segment.start,
                "end": segment.end,
                "text": segment.text,
                "tokens": segment.tokens,
                "temperature": segment.temperature,
                "avg_logprob": segment.avg_logprob,
                // whisper.cpp does not compute it. Clients with types insist on a number.
                "compression_ratio": 0.0,
                "no_speech_prob": segment.no_speech_prob,
            })
        })
        .collect()
}

/// `SubRip`.
fn srt(heard: &Heard) -> String {
    let mut text = String::new();
    for (index, segment) in heard.segments.iter().enumerate() {
        let (start, end) = (time(segment.start, ','), time(segment.end, ','));
        let number = index.saturating_add(1);
        let _ = write!(
            text,
            "{number}\n{start} --> {end}\n{}\n\n",
            safe(&segment.text)
        );
    }
    text
}

/// `WebVTT`.
fn vtt(heard: &Heard) -> String {
    let mut text = "WEBVTT\n\n".to_owned();
    for segment in &heard.segments {
        let (start, end) = (time(segment.start, '.'), time(segment.end, '.'));
        let said = safe(&segment.text)
            .replace('&', "&amp;")
            .replace('<', "&lt;");
        let _ = write!(text, "{start} --> {end}\n{said}\n\n");
    }
    text
}

/// No text looks like a line of times.
fn safe(text: &str) -> String {
    text.replace("-->", "->")
}

/// `HH:MM:SS,mmm`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time within the audio, in seconds"
)]
fn time(seconds: f64, point: char) -> String {
    let millis = (seconds * 1000.0).round() as u64;
    let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
    let (seconds, millis) = (millis / 1000 % 60, millis % 1000);
    format!("{hours:02}:{minutes:02}:{seconds:02}{point}{millis:03}")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time within the audio, in seconds"
)]
fn hundredths(seconds: f64) -> u64 {
    (seconds * 100.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard() -> Heard {
        let said = json!({"language": "en", "segments": [
            {"start": 0, "end": 1.5, "text": " One & <two>.", "words": [{"word": " One", "start": 0, "end": 0.5}]},
            {"start": 1.5, "end": 3661.042, "text": " -->"},
        ]});
        Heard::read(&said, None, 3661.5).unwrap()
    }

    #[test]
    fn each_format_is_written_as_its_readers_expect() {
        let body = |format| body(&heard(), format, Times::SEGMENTS);
        let plain = "text/plain; charset=utf-8";
        assert_eq!(body(Format::Text), (plain, "One & <two>. -->\n".into()));
        assert_eq!(
            body(Format::Srt).1,
            "1\n00:00:00,000 --> 00:00:01,500\nOne & <two>.\n\n2\n00:00:01,500 --> 01:01:01,042\n->\n\n"
        );
        assert_eq!(
            body(Format::Vtt).1,
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne &amp; &lt;two>.\n\n00:00:01.500 --> 01:01:01.042\n->\n\n"
        );
        let (kind, json) = body(Format::Json);
        let json: Value = serde_json::from_str(&json).unwrap();
        let usage = json!({"type": "duration", "seconds": 3662});
        assert_eq!(
            (kind, json),
            (
                "application/json",
                json!({"text": "One & <two>. -->", "usage": usage})
            )
        );
        let verbose: Value = serde_json::from_str(&body(Format::VerboseJson).1).unwrap();
        assert_eq!(verbose["language"], "english");
        assert_eq!(verbose["duration"], 3661.5);
        assert_eq!(verbose["segments"][1]["seek"], 150);
        assert_eq!(verbose["segments"][1]["text"], "-->");
        assert_eq!(verbose.get("words"), None);
        let words = Times {
            segments: false,
            words: true,
        };
        let verbose = super::body(&heard(), Format::VerboseJson, words).1;
        let verbose: Value = serde_json::from_str(&verbose).unwrap();
        let said = json!([{"word": "One", "start": 0.0, "end": 0.5}]);
        assert_eq!((&verbose["words"], verbose.get("segments")), (&said, None));
    }

    #[test]
    fn the_deltas_of_a_stream_are_its_text() {
        let heard = heard();
        let events = deltas(&heard, 0);
        let said: String = events
            .iter()
            .filter_map(|event| event["delta"].as_str())
            .collect();
        let done = done(&heard);
        assert_eq!(
            (&done["type"], &done["text"]),
            (&json!("transcript.text.done"), &json!(said))
        );
        assert_eq!(deltas(&heard, 1), events[1..]);
    }
}
