//! The receipt of a stream that its reader gave up.
//!
//! HTTP/1.1 gives a stream up by closing its connection, and the connection's tab ends with it. So the enclave keeps the tab's last receipt
//! for a while, for whoever shows the exporter of that connection, which only its two ends know. It is asked for over another one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrysalis_attestation::encoding::cbor::{self, Fields, Value};
use chrysalis_settle::{JobNumber, Kept, Receipt, Rejection, Tab};
use chrysalis_wire::api::TAB;
use http_body_util::{BodyExt, Limited};
use hyper::{Request, StatusCode};

use super::gate::{Gate, Tries};
use crate::{Asked, AttestedConnection, Epoch, Error};

/// How long to wait before each time that it is asked for.
const PATIENCE: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_secs(2),
    Duration::from_secs(8),
];
/// The most bytes of the answer.
const MAX_TAB: usize = 4096;

/// A stream that was given up, and what its receipt must be.
pub(super) struct GivenUp {
    gate: Arc<Gate>,
    asked: Asked,
    tab: Tab,
    epoch: Epoch,
    exporter: [u8; 32],
}

impl GivenUp {
    /// If the stream of this job, on this connection, should be given up.
    pub(super) fn new(gate: &Arc<Gate>, asked: Asked, connection: &AttestedConnection) -> Self {
        Self {
            gate: Arc::clone(gate),
            asked,
            tab: connection.tab().clone(),
            epoch: connection.epoch().clone(),
            exporter: *connection.saved_session().exporter(),
        }
    }

    /// Asks for the receipt, checks it, and keeps it.
    pub(super) async fn ask(mut self) {
        for wait in PATIENCE {
            tokio::time::sleep(wait).await;
            match self.try_once().await {
                Ok(true) => return,
                // The enclave has not noticed yet that nobody reads.
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(event = "no_receipt", code = error.code());
                    return;
                }
            }
        }
        tracing::warn!(event = "no_receipt", code = "receipt_missing");
    }

    /// Whether the receipt came.
    async fn try_once(&mut self) -> Result<bool, Error> {
        let Some((receipt, job)) = self.last().await? else {
            return Ok(false);
        };
        if job != self.asked.job {
            return Ok(false);
        }
        let kept = match self.accept(&receipt) {
            Err(Rejection::Evidence { .. }) => {
                self.epoch = self.gate.current_epoch().await?;
                self.accept(&receipt)
            }
            accepted => accepted,
        }?;
        self.gate.keep(&kept, &self.epoch);
        Ok(true)
    }

    fn accept(&mut self, receipt: &Receipt) -> Result<Kept, Rejection> {
        let expected = self.asked.expected(&self.epoch, None);
        self.tab.accept(receipt, &expected)
    }

    /// The last receipt of the tab, with its job's number.
    async fn last(&self) -> Result<Option<(Receipt, JobNumber)>, Error> {
        let mut lease = self.gate.lend(&mut Tries::default()).await?;
        let request = Request::post(TAB)
            .body(Bytes::copy_from_slice(&self.exporter))
            .map_err(|error| Error::Local(error.to_string()))?;
        let answer = lease.connection.send(request).await?;
        let found = answer.status() == StatusCode::OK;
        let body = Limited::new(answer.into_body(), MAX_TAB).collect().await;
        let body = body
            .map_err(|_| Error::Incomplete {
                what: "last receipt",
            })?
            .to_bytes();
        self.gate.give_back(lease);
        if !found {
            return Ok(None);
        }
        let last = cbor::decode(&body)
            .and_then(Fields::of)
            .and_then(|mut fields| fields.take("last"));
        match last {
            Some(Value::Null) => Ok(None),
            Some(Value::Bytes(receipt)) => {
                let (receipt, job) = Receipt::decode(&receipt)?;
                Ok(Some((receipt, job.job)))
            }
            _ => Err(Error::Protocol(
                "asked for a tab's last receipt, it answered something else".into(),
            )),
        }
    }
}
