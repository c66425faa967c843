//! What an engine heard, from its `verbose_json`: checked, and put in order.

use serde_json::Value;

use super::{
    language::Language,
    words::{self, MAX_TOKENS, Word, one_line},
};
use crate::serve::misshapen::{self as shape, Misshapen};

/// The most segments of an answer for each second of audio, and some.
const SEGMENTS_PER_SECOND: f64 = 10.0;
/// The most bytes of text for each second of audio, and some: four times of what can be said.
const TEXT_PER_SECOND: f64 = 512.0;
/// What a short audio may have all the same.
const AT_LEAST: f64 = 30.0;
/// How far the engine's last time may be after the end: it works on 30 s at once, the last of them padded.
const PADDING: f64 = 30.0;

/// What was said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heard {
    /// If any was heard, or asked for.
    pub(super) language: Option<Language>,
    /// How long the audio is.
    pub(super) seconds: f64,
    pub(super) segments: Vec<Segment>,
}

/// A stretch of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    pub(super) start: f64,
    pub(super) end: f64,
    /// On one line, without a space at either end; not empty.
    pub(super) text: String,
    pub(super) tokens: Vec<u64>,
    pub(super) temperature: f64,
    pub(super) avg_logprob: f64,
    pub(super) no_speech_prob: f64,
    /// None where the engine does not know them.
    pub(super) words: Vec<Word>,
}

impl Heard {
    /// Nothing yet.
    pub(super) fn nothing(language: Option<Language>, seconds: f64) -> Self {
        Self {
            language,
            seconds,
            segments: Vec::new(),
        }
    }

    /// Bytes of text that so many seconds may have.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a length of audio in seconds"
    )]
    pub(super) fn most_text(seconds: f64) -> usize {
        ((seconds + AT_LEAST) * TEXT_PER_SECOND) as usize
    }

    /// Adds what was heard of a stretch that begins at this second.
    pub(super) fn add(&mut self, stretch: Self, at: f64) {
        self.language = self.language.or(stretch.language);
        let later = |time: f64| (time + at).min(self.seconds);
        for mut segment in stretch.segments {
            segment.start = later(segment.start);
            segment.end = later(segment.end);
            for word in &mut segment.words {
                word.start = later(word.start);
                word.end = later(word.end);
            }
            self.segments.push(segment);
        }
    }

    /// Reads an engine's answer about so many seconds, in this language if one was asked for.
    pub(super) fn read(
        said: &Value,
        asked: Option<Language>,
        seconds: f64,
    ) -> Result<Self, Misshapen> {
        let language = shape::below(said, "language", "language")?.as_str();
        let language = language
            .and_then(Language::said)
            .ok_or(Misshapen("language"))?;
        if asked.is_some_and(|asked| asked != language) {
            return Err(Misshapen("another language than was asked for"));
        }
        let items = shape::list(said, "segments", "segments")?;
        let bound = seconds + AT_LEAST;
        #[expect(clippy::cast_precision_loss, reason = "a length")]
        if items.len() as f64 > bound * SEGMENTS_PER_SECOND {
            return Err(Misshapen("more segments than can be said"));
        }
        let mut segments = Vec::with_capacity(items.len());
        let (mut length, mut from) = (0_usize, 0.0);
        for item in items {
            let segment = segment(item, from, seconds)?;
            length = length.saturating_add(segment.text.len());
            from = segment.start;
            if !segment.text.is_empty() {
                segments.push(segment);
            }
        }
        if length > Self::most_text(seconds) {
            return Err(Misshapen("more text than can be said"));
        }
        Ok(Self {
            language: Some(language),
            seconds,
            segments,
        })
    }

    /// All that was said, in the pieces that follow each other.
    pub(super) fn pieces(&self) -> impl Iterator<Item = String> {
        self.segments.iter().enumerate().map(|(index, segment)| {
            // Where a language has spaces, they are between segments too.
            let space = if index == 0 { "" } else { " " };
            format!("{space}{}", segment.text)
        })
    }

    pub(super) fn text(&self) -> String {
        self.pieces().collect()
    }
}

/// One segment, which begins no earlier than the one before, and ends no earlier than it begins, nor after the audio.
fn segment(item: &Value, from: f64, seconds: f64) -> Result<Segment, Misshapen> {
    let time = |key| match shape::number(item, key, "a time that is no number") {
        Ok(time) if (0.0..=seconds + PADDING).contains(&time) => Ok(time),
        Ok(_) => Err(Misshapen("a time outside of the audio")),
        Err(misshapen) => Err(misshapen),
    };
    let (start, end) = (time("start")?, time("end")?);
    if end < start {
        return Err(Misshapen("a segment that ends before it begins"));
    }
    let start = start.max(from).min(seconds);
    let text = shape::below(item, "text", "text")?
        .as_str()
        .ok_or(Misshapen("text"))?;
    let end = end.max(start).min(seconds);
    let text = one_line(text);
    Ok(Segment {
        words: words::read(item, &text, (start, end))?,
        start,
        end,
        text,
        tokens: tokens(item)?,
        temperature: optional(item, "temperature")?,
        avg_logprob: optional(item, "avg_logprob")?,
        no_speech_prob: optional(item, "no_speech_prob")?,
    })
}

/// A number that not every engine gives: 0 then.
fn optional(item: &Value, key: &str) -> Result<f64, Misshapen> {
    match item.get(key) {
        None | Some(Value::Null) => Ok(0.0),
        Some(_) => shape::number(item, key, "a segment's probability or temperature"),
    }
}

fn tokens(item: &Value) -> Result<Vec<u64>, Misshapen> {
    const WHAT: Misshapen = Misshapen("tokens");
    let list = match item.get("tokens") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(list) => list
            .as_array()
            .filter(|list| list.len() <= MAX_TOKENS)
            .ok_or(WHAT)?,
    };
    list.iter()
        .map(|token| token.as_u64().ok_or(WHAT))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::serve::arbitrary::json as any_json;

    fn said(segments: &Value) -> Value {
        json!({"language": "german", "segments": segments, "text": "not read"})
    }

    fn read(segments: &Value) -> Result<Heard, Misshapen> {
        Heard::read(&said(segments), None, 60.0)
    }

    #[test]
    fn segments_are_put_in_order() {
        let heard = read(&json!([
            {"start": 0, "end": 2.5, "text": " Guten\n Tag\u{0}", "tokens": [1, 2], "avg_logprob": -0.5, "no_speech_prob": 0.1, "temperature": 0.2},
            {"start": 2, "end": 2.2, "text": "  "},
            {"start": 1.5, "end": 70, "text": "-->"},
        ]))
        .unwrap();
        assert_eq!(heard.language, Language::of("de"));
        assert_eq!(heard.text(), "Guten Tag -->");
        let times: Vec<_> = heard.segments.iter().map(|it| (it.start, it.end)).collect();
        assert_eq!(times, [(0.0, 2.5), (2.0, 60.0)]);
        assert_eq!(heard.segments[0].tokens, [1, 2]);
        assert!(heard.segments[1].avg_logprob.abs() < f64::EPSILON);
    }

    #[test]
    fn stretches_follow_each_other() {
        let mut heard = Heard::nothing(None, 90.5);
        let word = json!({"word": " a", "start": 2, "end": 3});
        let stretch = json!([{"start": 1, "end": 60, "text": "a", "words": [word]}]);
        heard.add(read(&stretch).unwrap(), 0.0);
        heard.add(read(&stretch).unwrap(), 60.0);
        let times: Vec<_> = heard.segments.iter().map(|it| (it.start, it.end)).collect();
        assert_eq!(times, [(1.0, 60.0), (61.0, 90.5)]);
        assert_eq!(
            (heard.text(), heard.language),
            ("a a".into(), Language::of("de"))
        );
        let words = heard.segments.iter().flat_map(|it| &it.words);
        let words: Vec<_> = words.map(|it| (it.start, it.end)).collect();
        assert_eq!(words, [(2.0, 3.0), (62.0, 63.0)]);
    }

    #[test]
    fn another_shape_is_refused() {
        let segment = |key: &str, value: Value| {
            let mut segment = json!({"start": 0, "end": 1, "text": "a"});
            segment[key] = value;
            json!([segment])
        };
        assert!(read(&segment("tokens", json!(null))).is_ok());
        let long = "a".repeat(60_000);
        let many = json!(vec![json!({"start": 0, "end": 1, "text": ""}); 1000]);
        for (segments, what) in [
            (json!({}), "segments"),
            (many, "more segments than can be said"),
            (segment("start", json!(-1)), "a time outside of the audio"),
            (segment("end", json!(91)), "a time outside of the audio"),
            (segment("end", json!("1")), "a time that is no number"),
            (segment("start", json!(null)), "a time that is no number"),
            (
                segment("start", json!(2)),
                "a segment that ends before it begins",
            ),
            (segment("text", json!(5)), "text"),
            (segment("text", json!(long)), "more text than can be said"),
            (segment("tokens", json!([-1])), "tokens"),
            (segment("tokens", json!(vec![1; 449])), "tokens"),
            (
                segment("avg_logprob", json!("x")),
                "a segment's probability or temperature",
            ),
            (segment("words", json!("a")), "words"),
        ] {
            assert_eq!(read(&segments), Err(Misshapen(what)));
        }
    }

    #[test]
    fn the_language_is_the_one_asked_for() {
        let german = Language::of("de");
        assert!(Heard::read(&said(&json!([])), german, 1.0).is_ok());
        let other = Heard::read(&said(&json!([])), Language::of("fr"), 1.0);
        assert_eq!(other, Err(Misshapen("another language than was asked for")));
        for wrong in [
            json!({"segments": []}),
            json!({"language": "klingon", "segments": []}),
        ] {
            assert_eq!(Heard::read(&wrong, None, 1.0), Err(Misshapen("language")));
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(segments in any_json(), said_by_engine in any_json(), start: f64, end: f64, text: String) {
            let _ = Heard::read(&said_by_engine, None, 60.0);
            let _ = read(&segments);
            if let Ok(heard) = read(&json!([{"start": start, "end": end, "text": text}])) {
                assert!(!heard.text().contains(['\n', '\r', '\0']));
            }
        }
    }
}
