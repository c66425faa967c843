//! Server-sent events, as the Responses and the Messages API name them.

use std::fmt;

use serde_json::Value;

/// One event: its name, which its data repeat as `type`, and its data.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SseEvent {
    pub(super) name: &'static str,
    pub(super) data: Value,
}

impl fmt::Display for SseEvent {
    /// JSON has no line breaks outside of strings, and none unescaped inside: one line of data is enough.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "event: {}\ndata: {}\n\n", self.name, self.data)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_two_lines_and_an_empty_one() {
        let event = SseEvent {
            name: "ping",
            data: json!({"type": "ping", "text": "a\n\nb"}),
        };
        let text = event.to_string();
        let lines: Vec<&str> = text.split('\n').collect();
        let data = lines[1].strip_prefix("data: ").unwrap();
        assert_eq!((lines[0], &lines[2..]), ("event: ping", &["", ""][..]));
        assert_eq!(serde_json::from_str::<Value>(data).unwrap(), event.data);
    }
}
