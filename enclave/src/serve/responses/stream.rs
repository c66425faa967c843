//! A response as events, made of the chunks of a chat completion.

use serde_json::{Map, Value, json};

use super::output::{self, End, Envelope};
use crate::serve::{error::ApiError, event::SseEvent, translated::Translate};

/// What has been said so far, and what is being said.
#[derive(Debug, Clone)]
pub(super) struct ResponsesStream {
    echo: Map<String, Value>,
    /// Known from the first chunk on.
    envelope: Option<Envelope>,
    sequence: u64,
    /// The items that are complete.
    output: Vec<Value>,
    open: Option<Open>,
    end: Option<End>,
    usage: Value,
}

/// The item that the next delta belongs to.
#[derive(Debug, Clone)]
enum Open {
    Message {
        id: String,
        text: String,
    },
    Call {
        id: String,
        index: u64,
        call_id: String,
        name: String,
        arguments: String,
    },
}

impl Translate for ResponsesStream {
    fn chunk(&mut self, chunk: &Value) -> Vec<SseEvent> {
        let mut events = Vec::new();
        self.begin(chunk, &mut events);
        if let Some(usage) = chunk.get("usage").filter(|usage| !usage.is_null()) {
            self.usage = usage.clone();
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
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            self.end = Some(End::of(reason));
        }
        events
    }

    /// A chat completion that ended early has failed.
    fn finish(&mut self) -> Vec<SseEvent> {
        let known = self.end.zip(self.envelope.clone());
        let (Some((end, envelope)), Some(usage)) = (known, output::usage(&self.usage)) else {
            return self.fail(&ApiError::broken());
        };
        let mut events = Vec::new();
        if self.output.is_empty() && self.open.is_none() {
            // An answer without a token is still a message, as it is where it is sent whole.
            self.open_message(&mut events);
        }
        self.close(end.status(), &mut events);
        let output = self.output.clone();
        let response = output::ended(&self.echo, &envelope, end, output, usage);
        let name = match end {
            End::Completed => "response.completed",
            End::Incomplete(_) => "response.incomplete",
        };
        events.push(self.event(name, json!({"response": response})));
        events
    }

    fn fail(&mut self, error: &ApiError) -> Vec<SseEvent> {
        let Some(envelope) = self.envelope.clone() else {
            let error = json!({
                "code": error.code, "message": error.message, "param": error.parameter,
            });
            return vec![self.event("error", error)];
        };
        let mut response = output::response(&self.echo, &envelope, "failed");
        response["output"] = Value::Array(self.output.clone());
        response["error"] = json!({
            "code": if error.status.is_client_error() { "invalid_prompt" } else { "server_error" },
            "message": error.message,
            "param": error.parameter,
            "type": error.code,
        });
        vec![self.event("response.failed", json!({"response": response}))]
    }
}

impl ResponsesStream {
    pub(super) fn new(echo: Map<String, Value>) -> Self {
        Self {
            echo,
            envelope: None,
            sequence: 0,
            output: Vec::new(),
            open: None,
            end: None,
            usage: Value::Null,
        }
    }

    fn begin(&mut self, chunk: &Value, events: &mut Vec<SseEvent>) {
        if self.envelope.is_some() {
            return;
        }
        let Some(envelope) = Envelope::of(chunk) else {
            return;
        };
        let response = output::response(&self.echo, &envelope, "in_progress");
        self.envelope = Some(envelope);
        for name in ["response.created", "response.in_progress"] {
            events.push(self.event(name, json!({"response": response})));
        }
    }

    fn text(&mut self, delta: &str, events: &mut Vec<SseEvent>) {
        if !matches!(self.open, Some(Open::Message { .. })) {
            self.close("completed", events);
            self.open_message(events);
        }
        let Some(Open::Message { id, text }) = &mut self.open else {
            return;
        };
        text.push_str(delta);
        let data = json!({"item_id": id, "content_index": 0, "delta": delta, "logprobs": []});
        events.push(self.event_of_item("response.output_text.delta", data));
    }

    fn open_message(&mut self, events: &mut Vec<SseEvent>) {
        let id = self.item_id("msg");
        let item = output::message(&id, "in_progress", &[]);
        let part = json!({"item_id": id, "content_index": 0, "part": output::text_part("")});
        self.open = Some(Open::Message {
            id,
            text: String::new(),
        });
        events.push(self.event_of_item("response.output_item.added", json!({"item": item})));
        events.push(self.event_of_item("response.content_part.added", part));
    }

    fn call(&mut self, delta: &Value, events: &mut Vec<SseEvent>) {
        let part = |pointer: &str| delta.pointer(pointer).and_then(Value::as_str);
        let number = delta.get("index").and_then(Value::as_u64).unwrap_or(0);
        if !matches!(&self.open, Some(Open::Call { index, .. }) if *index == number) {
            self.close("completed", events);
            self.open_call(
                number,
                part("/id").unwrap_or_default(),
                part("/function/name").unwrap_or_default(),
                events,
            );
        }
        let piece = part("/function/arguments").unwrap_or_default();
        let Some(Open::Call { id, arguments, .. }) = &mut self.open else {
            return;
        };
        if !piece.is_empty() {
            arguments.push_str(piece);
            let data = json!({"item_id": id, "delta": piece});
            events.push(self.event_of_item("response.function_call_arguments.delta", data));
        }
    }

    fn open_call(&mut self, index: u64, call_id: &str, name: &str, events: &mut Vec<SseEvent>) {
        let id = self.item_id("fc");
        let item = output::call(&id, "in_progress", call_id, name, "");
        self.open = Some(Open::Call {
            id,
            index,
            call_id: call_id.to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
        });
        events.push(self.event_of_item("response.output_item.added", json!({"item": item})));
    }

    /// Completes the open item, if there is one.
    fn close(&mut self, status: &str, events: &mut Vec<SseEvent>) {
        let item = match self.open.take() {
            None => return,
            Some(Open::Message { id, text }) => {
                let part = output::text_part(&text);
                let done = json!({"item_id": id, "content_index": 0, "text": text, "logprobs": []});
                events.push(self.event_of_item("response.output_text.done", done));
                let done = json!({"item_id": id, "content_index": 0, "part": part});
                events.push(self.event_of_item("response.content_part.done", done));
                output::message(&id, status, &[part])
            }
            Some(Open::Call {
                id,
                call_id,
                name,
                arguments,
                ..
            }) => {
                let done = json!({"item_id": id, "name": name, "arguments": arguments});
                events.push(self.event_of_item("response.function_call_arguments.done", done));
                output::call(&id, status, &call_id, &name, &arguments)
            }
        };
        events.push(self.event_of_item("response.output_item.done", json!({"item": item})));
        self.output.push(item);
    }

    fn item_id(&self, prefix: &str) -> String {
        let place = self.output.len();
        self.envelope
            .as_ref()
            .map_or_else(String::new, |envelope| envelope.item(prefix, place))
    }

    /// An event of the item that is open, or being closed.
    fn event_of_item(&mut self, name: &'static str, mut data: Value) -> SseEvent {
        data["output_index"] = json!(self.output.len());
        self.event(name, data)
    }

    fn event(&mut self, name: &'static str, mut data: Value) -> SseEvent {
        data["type"] = json!(name);
        data["sequence_number"] = json!(self.sequence);
        self.sequence = self.sequence.saturating_add(1);
        SseEvent { name, data }
    }
}
