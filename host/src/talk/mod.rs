//! What is said on stderr, a line an event: for people as they read it, with one block under it on a terminal that is redrawn in place;
//! for programs as JSON. Every line of a run goes through here.

mod block;

use std::{
    fmt::Display,
    sync::atomic::{AtomicBool, Ordering},
};

use clap::ValueEnum;
use serde_json::{Map, Value};

pub(crate) use self::block::Live;
use crate::clock;

/// Whether this process speaks to programs.
static JSON: AtomicBool = AtomicBool::new(false);

/// Whom to speak to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line, with `time`, `event` and `message`
    Json,
}

impl LogFormat {
    /// From now on, for the whole process.
    pub(crate) fn choose(self) {
        JSON.store(self == Self::Json, Ordering::Relaxed);
    }
}

/// Whether lines are for programs.
pub(crate) fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Says a line, or several: something that has no name of its own.
pub(crate) fn say(text: impl Display) {
    tell("note", &Value::Null, text);
}

/// Says what happened: its name and what belongs to it for programs, a text for people.
pub(crate) fn tell(event: &str, fields: &Value, text: impl Display) {
    let text = text.to_string();
    if is_json() {
        block::above(&line(&clock::stamp(), event, fields, &text));
    } else {
        block::above(&text);
    }
}

/// One line of JSON. A hint is a field of its own; of what has a name, nothing takes the place of `time`, `event`, `message` or `hint`.
fn line(time: &str, event: &str, fields: &Value, text: &str) -> String {
    let (message, hint) = match text.split_once("\nhint: ") {
        Some((message, hint)) => (message, Some(hint)),
        None => (text, None),
    };
    let said = [
        ("time", Some(time)),
        ("event", Some(event)),
        ("message", Some(message.trim())),
        ("hint", hint),
    ];
    let said = said
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
    let mut object: Map<String, Value> = said.collect();
    for (key, value) in fields.as_object().into_iter().flatten() {
        object.entry(key).or_insert_with(|| value.clone());
    }
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_one_line_whatever_is_said() {
        let fields = json!({"running": 2, "event": "lie", "console": "a\nb"});
        let text = line(
            "2026-12-01T12:00:00.000Z",
            "draining",
            &fields,
            "two\nlines\nhint: wait",
        );
        assert!(!text.contains('\n'));
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read,
            json!({"time": "2026-12-01T12:00:00.000Z", "event": "draining", "message": "two\nlines", "hint": "wait",
                   "running": 2, "console": "a\nb"})
        );
        let bare = line("t", "note", &Value::Null, " said ");
        assert_eq!(bare, r#"{"time":"t","event":"note","message":"said"}"#);
    }
}
