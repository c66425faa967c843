//! Whether this enclave may still serve. Trust ends once, for one reason, and never comes back: every answer under way learns of it
//! here.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

/// Why trust ended: the code of the failure, and what exactly was refused, if that has a code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reason {
    /// Such as `gpu_refused`.
    pub(crate) code: &'static str,
    /// Such as `measurement_mismatch`.
    pub(crate) detail: Option<&'static str>,
}

impl fmt::Display for Reason {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail {
            Some(detail) => write!(to, "{}: {detail}", self.code),
            None => to.write_str(self.code),
        }
    }
}

/// The one state of trust that all share.
#[derive(Debug, Clone)]
pub(crate) struct Trust(Arc<watch::Sender<Option<Reason>>>);

impl Default for Trust {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Trust {
    /// Ends it. The first reason stays.
    pub(crate) fn end(&self, reason: Reason) {
        self.0.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(reason);
            first
        });
    }

    /// Why it ended, if it has.
    pub(crate) fn over(&self) -> Option<Reason> {
        *self.0.borrow()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) -> Reason {
        let mut state = self.0.subscribe();
        loop {
            if let Some(reason) = *state.borrow_and_update() {
                return reason;
            }
            // The sender is held here, so it is never gone.
            let _ = state.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: &'static str) -> Reason {
        Reason { code, detail: None }
    }

    #[tokio::test]
    async fn trust_ends_once_and_for_the_first_reason() {
        let trust = Trust::default();
        assert_eq!(trust.over(), None);
        let waiting = tokio::spawn({
            let trust = trust.clone();
            async move { trust.ended().await }
        });
        trust.end(reason("gpu_refused"));
        trust.end(reason("known_answer_wrong"));
        assert_eq!(waiting.await.unwrap(), reason("gpu_refused"));
        assert_eq!(trust.ended().await, reason("gpu_refused"));
    }

    #[test]
    fn a_reason_is_said_with_what_was_refused() {
        assert_eq!(reason("gpu_worker_failed").to_string(), "gpu_worker_failed");
        let detailed = Reason {
            code: "gpu_refused",
            detail: Some("measurement_mismatch"),
        };
        assert_eq!(detailed.to_string(), "gpu_refused: measurement_mismatch");
    }
}
