//! A message as events, made of the chunks of a chat completion.

use serde_json::{Map, Value, json};

use super::{error, output};
use crate::serve::{error::ApiError, event::SseEvent, translated::Translate};

/// What has been said so far, and what is being said.
#[derive(Debug, Clone, Default)]
pub(super) struct MessagesStream {
    begun: bool,
    /// How many blocks are complete.
    blocks: u64,
    open: Option<Open>,
    stop: Option<Map<String, Value>>,
    usage: Option<Value>,
}

/// The block that the next delta belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    /// By the call's number.
    ToolUse(u64),
}

impl Translate for MessagesStream {
    fn chunk(&mut self, chunk: &Value) -> Vec<SseEvent> {
        let mut events = Vec::new();
        self.begin(chunk, &mut events);
        if let Some(usage) = chunk.get("usage").and_then(output::usage) {
            self.usage = Some(usage);
        }
        let Some(choice) = chunk.pointer("/choices/0") else {
            return events;
        };
        if let Some(text) = choice.pointer("/delta/content").and_then(Value::as_str)
            && !text.is_empty()
        {
            self.text(text, &mut events);
        }
        if let Some(calls) = choice
            .pointer("/delta/tool_calls")
            .and_then(Value::as_array)
        {
            for call in calls {
                self.call(call, &mut events);
            }
        }
        if let Some(stop) = output::stop(choice) {
            self.stop = Some(stop);
        }
        events
    }

    /// A chat completion that ended early has failed.
    fn finish(&mut self) -> Vec<SseEvent> {
        let (Some(stop), Some(usage), true) = (self.stop.take(), self.usage.take(), self.begun)
        else {
            return self.fail(&ApiError::broken());
        };
        let mut events = Vec::new();
        self.close(&mut events);
        events.push(event(
            "message_delta",
            json!({"delta": stop, "usage": usage}),
        ));
        events.push(event("message_stop", json!({})));
        events
    }

    fn fail(&mut self, error: &ApiError) -> Vec<SseEvent> {
        vec![event("error", error::to_json(error))]
    }
}

impl MessagesStream {
    /// How many tokens the prompt has is not known yet: the last event but one says it.
    fn begin(&mut self, chunk: &Value, events: &mut Vec<SseEvent>) {
        if self.begun {
            return;
        }
        let usage = json!({
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        });
        if let Some(message) = output::message(chunk, &usage) {
            self.begun = true;
            events.push(event("message_start", json!({"message": message})));
            events.push(event("ping", json!({})));
        }
    }

    fn text(&mut self, text: &str, events: &mut Vec<SseEvent>) {
        if self.open != Some(Open::Text) {
            self.open(Open::Text, &json!({"type": "text", "text": ""}), events);
        }
        events.push(self.delta(&json!({"type": "text_delta", "text": text})));
    }

    fn call(&mut self, delta: &Value, events: &mut Vec<SseEvent>) {
        let part = |pointer: &str| delta.pointer(pointer).and_then(Value::as_str);
        let open = Open::ToolUse(delta.get("index").and_then(Value::as_u64).unwrap_or(0));
        if self.open != Some(open) {
            let block = json!({
                "type": "tool_use",
                "id": part("/id").unwrap_or_default(),
                "name": part("/function/name").unwrap_or_default(),
                "input": {},
            });
            self.open(open, &block, events);
        }
        if let Some(piece) = part("/function/arguments")
            && !piece.is_empty()
        {
            events.push(self.delta(&json!({"type": "input_json_delta", "partial_json": piece})));
        }
    }

    fn open(&mut self, open: Open, block: &Value, events: &mut Vec<SseEvent>) {
        self.close(events);
        self.open = Some(open);
        let data = json!({"index": self.blocks, "content_block": block});
        events.push(event("content_block_start", data));
    }

    fn delta(&self, delta: &Value) -> SseEvent {
        event(
            "content_block_delta",
            json!({"index": self.blocks, "delta": delta}),
        )
    }

    /// Completes the open block, if there is one.
    fn close(&mut self, events: &mut Vec<SseEvent>) {
        if self.open.take().is_some() {
            events.push(event("content_block_stop", json!({"index": self.blocks})));
            self.blocks = self.blocks.saturating_add(1);
        }
    }
}

fn event(name: &'static str, mut data: Value) -> SseEvent {
    data["type"] = json!(name);
    SseEvent { name, data }
}
