//! The receipt of a stream that its reader gave up.
//!
//! HTTP/1.1 gives a stream up by closing its connection, and the connection's tab ends with it. So the enclave keeps the tab's last receipt
//! for a while, for whoever shows the exporter of that connection, which only its two ends know; or a cap, where the tab is paid. It is
//! asked for over another one.

use std::{sync::Arc, time::Duration};

use chrysalis_settle::{Job, Kept, Receipt, Rejection};

use super::gate::{Gate, Tries};
use crate::{
    Asked, AttestedConnection, Epoch, Error,
    pay::{self, Outstanding},
};

/// How long to wait before each time that it is asked for.
const PATIENCE: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_secs(2),
    Duration::from_secs(8),
];

/// A stream that was given up, and what its receipt must be.
pub(super) struct GivenUp {
    gate: Arc<Gate>,
    asked: Asked,
    outstanding: Outstanding,
    epoch: Epoch,
}

impl GivenUp {
    /// If the stream of this job, on this connection, should be given up.
    pub(super) fn new(gate: &Arc<Gate>, asked: Asked, connection: &AttestedConnection) -> Self {
        Self {
            gate: Arc::clone(gate),
            asked,
            outstanding: connection.outstanding(),
            epoch: connection.epoch().clone(),
        }
    }

    /// Asks for the receipt, checks it, and keeps it.
    pub(super) async fn ask(mut self) {
        for wait in PATIENCE {
            tokio::time::sleep(wait).await;
            match self.try_once().await {
                Ok(Some(amount)) => return self.outstanding.settled(amount),
                // The enclave has not noticed yet that nobody reads.
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(event = "no_receipt", code = error.code());
                    return;
                }
            }
        }
        tracing::warn!(event = "no_receipt", code = "receipt_missing");
    }

    /// What its receipt says that it costs, if it came.
    async fn try_once(&mut self) -> Result<Option<u64>, Error> {
        let Some((receipt, job)) = self.last().await? else {
            return Ok(None);
        };
        if job.job != self.asked.job {
            return Ok(None);
        }
        let kept = match self.accept(&receipt) {
            Err(Rejection::Evidence { .. }) => {
                self.epoch = self.gate.current_epoch().await?;
                self.accept(&receipt)
            }
            accepted => accepted,
        }?;
        self.gate.keep(&kept, &self.epoch);
        Ok(Some(kept.job().amount))
    }

    fn accept(&mut self, receipt: &Receipt) -> Result<Kept, Rejection> {
        let Outstanding { tab, quote, .. } = &mut self.outstanding;
        let expected = self.asked.expected(&self.epoch, quote.as_ref(), None);
        tab.accept(receipt, &expected)
    }

    /// The last receipt of the tab, with its job.
    async fn last(&self) -> Result<Option<(Receipt, Job)>, Error> {
        let mut lease = self.gate.lend(&mut Tries::default()).await?;
        let exporter = lease.connection.saved_session().exporter();
        let request = self.outstanding.request(exporter)?;
        let answer = lease.connection.send(request).await?;
        let answered = pay::read(answer).await?;
        self.gate.give_back(lease);
        let Ok((terms, mut jobs)) = answered else {
            return Ok(None);
        };
        Ok(terms.last.zip(jobs.pop()))
    }
}
