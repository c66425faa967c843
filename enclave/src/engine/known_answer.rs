//! The known answer: before a process serves anyone, its model goes on from a known text as the configuration says, greedily.
//! It shows that weights, engine and processor compute what they should.

use chrysalis_wire::configuration::KnownAnswer;
use serde_json::{Value, json};

use super::{
    call::{Call, CallBody, Event},
    process::{Launcher, Process},
    sink::Sink,
};
use crate::failure::Failure;

/// Where texts go on from.
const COMPLETIONS: &str = "/v1/completions";

impl Launcher {
    /// Has the process go on from the known texts until one goes on as it should. A model without any passes.
    pub(super) async fn require_known_answer(&self, process: &Process) -> Result<(), Failure> {
        let mut wrong = None;
        for known in &self.model.known_answer {
            let given = self.goes_on(process, known).await?;
            if given.starts_with(&known.text) {
                return Ok(());
            }
            wrong.get_or_insert_with(|| Failure::KnownAnswerWrong {
                model: self.model.name.clone(),
                prompt: known.prompt.clone(),
                given,
                known: known.text.clone(),
            });
        }
        wrong.map_or(Ok(()), Err)
    }

    /// How it goes on, at least as far as the known text goes.
    async fn goes_on(&self, process: &Process, known: &KnownAnswer) -> Result<String, Failure> {
        let (sink, mut answer) = Sink::new();
        let length = known.text.len();
        let call = Call {
            path: COMPLETIONS,
            body: CallBody::Json(json!({
                "model": self.model.name,
                "prompt": known.prompt,
                // A token has at least one byte.
                "max_tokens": length,
                "temperature": 0,
                "seed": 0,
                "stream": true,
            })),
            most_text: length.saturating_mul(4),
        };
        let asking = process.ask(call, &sink);
        let reading = async {
            let mut text = String::new();
            while let Some(event) = answer.recv().await {
                match event {
                    Event::Began => {}
                    Event::Json(piece) => text.push_str(said(&piece).unwrap_or_default()),
                    Event::Done => break,
                    other => return Err(other),
                }
                if text.len() >= length {
                    break;
                }
            }
            // Nobody listens any more, so the engine may stop.
            drop(answer);
            Ok(text)
        };
        match tokio::join!(asking, reading) {
            (_, Ok(text)) if text.len() >= length => Ok(text),
            (Ok(()), Ok(text)) => Ok(text),
            (Err(fault), _) => Err(self.failed(&format!("asked for its known answer, {fault}"))),
            (_, Err(event)) => Err(self.failed(&match event {
                Event::Refused { status, .. } => {
                    format!("asked for its known answer, it said {status}")
                }
                _ => "asked for its known answer, it broke its protocol".to_owned(),
            })),
        }
    }
}

fn said(piece: &Value) -> Option<&str> {
    piece.get("choices")?.get(0)?.get("text")?.as_str()
}
