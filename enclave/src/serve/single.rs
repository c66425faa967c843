//! An engine's answer that is one JSON value: of embeddings, of ranks, of what was heard.

use std::sync::Arc;

use chrysalis_settle::End;
use hyper::{Response, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    answer::{self, Body},
    error::ApiError,
    misshapen::{Misshapen, Unfit},
    receipt::{Meter, Units, Wanted},
    refusal::Refusal,
};
use crate::engine::{Call, Event, Served, Spell, Tenant};

/// Asks, and answers the client with what `read` makes of the engine's one value. `prompt` names what the engine reads.
pub(super) async fn respond(
    served: &Arc<Served>,
    tenant: &Tenant,
    call: Call,
    prompt: &'static str,
    read: impl FnOnce(&Value) -> Result<Value, Unfit>,
) -> Result<Response<Body>, ApiError> {
    let refusal = Refusal {
        prompt,
        schema: None,
        names_tokens: false,
    };
    let meter = Meter::current();
    meter.admit(&Wanted {
        model: &served.model().name,
        units: Units::Tokens { most: 0 },
    })?;
    let said = Single::ask(served, tenant, call, meter.spell())?
        .answer(refusal, read)
        .await?;
    let read = said.pointer("/usage/total_tokens").and_then(Value::as_u64);
    meter.tokens(read.unwrap_or_default(), 0, 0);
    meter.ended(End::Stop);
    Ok(answer::json(StatusCode::OK, &said))
}

/// An answer that is waited for. Dropping it cancels the call.
pub(super) struct Single {
    served: Arc<Served>,
    events: mpsc::Receiver<Event>,
    said: Option<Value>,
}

impl Single {
    /// Asks.
    pub(super) fn ask(
        served: &Arc<Served>,
        tenant: &Tenant,
        call: Call,
        spell: Spell,
    ) -> Result<Self, ApiError> {
        let events = served.ask(tenant, call, spell);
        let events = events.map_err(ApiError::turned)?;
        Ok(Self {
            served: served.clone(),
            events,
            said: None,
        })
    }

    /// What the engine said, as `read` understands it. An engine that says something else is not trusted any more. `refusal`
    /// is for what it may refuse. Cancel-safe.
    pub(super) async fn answer<T>(
        &mut self,
        refusal: Refusal,
        read: impl FnOnce(&Value) -> Result<T, Unfit>,
    ) -> Result<T, ApiError> {
        while let Some(event) = self.events.recv().await {
            match event {
                Event::Began => {}
                Event::Json(value) if self.said.is_none() => self.said = Some(value),
                Event::Json(_) | Event::Text(_) => {
                    return Err(self.distrust(Misshapen("not one JSON value")));
                }
                Event::Done => {
                    let said = self.said.take();
                    let Some(said) = said else {
                        return Err(self.distrust(Misshapen("no JSON value")));
                    };
                    return match read(&said) {
                        Ok(read) => Ok(read),
                        Err(Unfit::Refused(error)) => Err(error),
                        Err(Unfit::Misshapen(misshapen)) => Err(self.distrust(misshapen)),
                    };
                }
                Event::Refused { status, body } => {
                    let context = self.served.model().context;
                    return Err(refusal.explain(status, &body, context));
                }
                Event::Failed(fault) => return Err(ApiError::fault(fault)),
            }
        }
        Err(ApiError::engine_failed())
    }

    /// What is wrong is said in the log: it never has any of the content.
    fn distrust(&self, misshapen: Misshapen) -> ApiError {
        tracing::error!(model = self.served.model().name, "{misshapen}");
        self.served.distrust();
        ApiError::engine_failed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrysalis_wire::configuration::Kind;
    use serde_json::json;
    use tokio::time::timeout;

    use super::*;
    use crate::engine::{
        CallBody,
        fake::{self, Said},
    };

    /// An engine that says what it is asked to, whole or in events.
    fn play(_: &str, body: Value) -> Vec<Said> {
        match body["say"].as_str() {
            Some("status") => vec![Said::Status(400, json!({"error": {"message": "secret"}}))],
            Some("twice") => vec![Said::Json(json!(1)), Said::Json(json!(2)), Said::Done],
            Some("nothing") => vec![Said::Done],
            Some("close") => vec![Said::Close],
            _ => vec![Said::Whole(body)],
        }
    }

    async fn ask(say: &str, fit: bool) -> Result<Value, (u16, &'static str)> {
        let engines = fake::engines(&[(fake::model("m", Kind::Embedding), play)]).await;
        let call = Call {
            path: "/v1/embeddings",
            body: CallBody::Json(json!({"say": say})),
            most_text: 0,
        };
        let refusal = Refusal {
            prompt: "input",
            schema: None,
            names_tokens: false,
        };
        let (tenant, spell) = (Tenant([1; 32]), Spell::default());
        let mut single = Single::ask(&engines.all()[0], &tenant, call, spell).unwrap();
        let read = |said: &Value| {
            if fit {
                Ok(said.clone())
            } else {
                Err(Misshapen("test").into())
            }
        };
        let answer = timeout(Duration::from_secs(30), single.answer(refusal, read)).await;
        answer
            .unwrap()
            .map_err(|error| (error.status.as_u16(), error.code))
    }

    #[tokio::test]
    async fn one_value_is_the_answer() {
        assert_eq!(ask("it", true).await, Ok(json!({"say": "it"})));
    }

    #[tokio::test]
    async fn an_engine_that_answers_otherwise_has_failed() {
        for (say, fit) in [
            ("it", false),
            ("twice", true),
            ("nothing", true),
            ("close", true),
        ] {
            let failed = Err((502, "engine_failed"));
            assert_eq!(ask(say, fit).await, failed, "{say}");
        }
    }

    #[tokio::test]
    async fn what_an_engine_refuses_is_the_requests_fault() {
        assert_eq!(ask("status", true).await, Err((400, "invalid_value")));
    }
}
