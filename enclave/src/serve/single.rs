//! An engine's answer that is one JSON value: of embeddings, of ranks, of what was heard.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    error::ApiError,
    misshapen::{Misshapen, Unfit},
    refusal::Refusal,
};
use crate::engine::{Call, Event, Served, Tenant};

/// An answer that is waited for. Dropping it cancels the call.
pub(super) struct Single {
    served: Arc<Served>,
    events: mpsc::Receiver<Event>,
    said: Option<Value>,
}

impl Single {
    /// Asks.
    pub(super) fn ask(served: &Arc<Served>, tenant: &Tenant, call: Call) -> Result<Self, ApiError> {
        let events = served.ask(tenant, call).map_err(ApiError::turned)?;
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
