//! Jobs that are paid for.

use std::{
    future::Future,
    sync::{Arc, Mutex, OnceLock},
};

use chrysalis_settle::{Credential, JobNumber};
use chrysalis_wire::host::NoLane;

use crate::serve::{
    error::ApiError,
    pay::{Lane, Till},
    receipt::{Entry, Issue, Issuer, Meter, Ticket},
    service::Service,
};

/// A paid job, as its headers name it.
pub(super) struct Asked {
    pub(super) job: JobNumber,
    pub(super) quote: [u8; 32],
    pub(super) credential: Credential,
    /// Signed by the lane's key over this connection.
    pub(super) presence: [u8; 64],
}

/// Answers a request whose money covers it: what was answered, the job, and what counts for it.
pub(super) async fn answer<T>(
    service: &Service,
    exporter: &[u8; 32],
    asked: &Asked,
    answering: impl Future<Output = Result<T, ApiError>>,
) -> Result<(T, Issue, Meter), ApiError> {
    let till = service.till.as_ref().ok_or_else(ApiError::nobody_pays)?;
    let shown = (&asked.credential, &asked.presence);
    let lane = lane_of(till, &service.issuer, exporter, shown).await?;
    let ticket = Arc::new(Ticket {
        till: till.clone(),
        issuer: service.issuer.clone(),
        credential: asked.credential,
        job: asked.job,
        ceiling: lane.ceiling,
        offer: till.prices.find(&asked.quote),
        work: OnceLock::new(),
        issue: Mutex::new(None),
    });
    let meter = Meter::new(Entry::Paid(ticket.clone()));
    let answered = meter.scope(answering).await;
    match (answered, ticket.take()) {
        (Ok(answer), Some(issue)) => Ok((answer, issue, meter)),
        // No endpoint may answer that has not asked.
        (Ok(_), None) => Err(ApiError::broken()),
        (Err(error), issue) => {
            if let Some(issue) = issue {
                issue.refused(error.status.is_server_error());
            }
            Err(error)
        }
    }
}

/// Answers an unpaid request, unless payment is required.
pub(super) async fn free<T>(
    service: &Service,
    answering: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let till = service.till.as_ref();
    let Some(till) = till.filter(|till| till.required) else {
        return answering.await;
    };
    let meter = Meter::new(Entry::Closed(till.clone()));
    meter.scope(answering).await?;
    // No endpoint may answer that has not asked.
    Err(ApiError::broken())
}

/// The lane of a credential, if its key signed the cap and the connection with this exporter.
pub(super) async fn lane_of(
    till: &Till,
    issuer: &Issuer,
    exporter: &[u8; 32],
    (credential, presence): (&Credential, &[u8; 64]),
) -> Result<Lane, ApiError> {
    let tab = credential.tab;
    if tab.lane == 0 {
        return Err(ApiError::no_lane(NoLane::Unknown));
    }
    let taken = issuer.tabs.taken(&tab);
    let lane = till.lanes.look_up((tab.purse, tab.lane), taken).await;
    let lane = lane.map_err(ApiError::no_lane)?;
    let signed = credential.verify(&lane.spend_key, &issuer.key());
    signed.map_err(|_| ApiError::cap_signature())?;
    let present = credential.verify_presence(&lane.spend_key, &issuer.key(), exporter, presence);
    present.map_err(|_| ApiError::presence_signature())?;
    Ok(lane)
}
