//! `POST /v1/tab`: what a client needs to begin, and what it may have missed.

use chrysalis_attestation::encoding::cbor::{self, Value};
use chrysalis_settle::{CREDENTIAL_LENGTH, Credential, Receipt, Standing};
use hyper::{HeaderMap, Response, StatusCode};

use super::paid::lane_of;
use crate::serve::{
    answer::{self, Body},
    conversation::Conversation,
    error::ApiError,
    intake::{self, Arriving},
    service::Service,
};

/// The most bytes of a body.
const MAX_ASKED: usize = 128;

/// The state of a paid tab, whose credential is the body; or the last receipt of this connection, or of the one whose exporter is the body.
pub(in crate::serve) async fn tab(
    service: &Service,
    conversation: &Conversation,
    headers: &HeaderMap,
    body: Arriving,
) -> Result<Response<Body>, ApiError> {
    let asked = intake::bytes(headers, body, MAX_ASKED).await?;
    conversation.is_answered();
    let answer = match asked.len() {
        0 => unpaid(service, conversation, &conversation.exporter)?,
        32 => {
            let mut exporter = [0; 32];
            exporter.copy_from_slice(&asked);
            unpaid(service, conversation, &exporter)?
        }
        CREDENTIAL_LENGTH => {
            let credential = Credential::decode(&asked);
            let credential = credential.map_err(|_| ApiError::broken())?;
            paid(service, &credential).await?
        }
        _ => {
            let message = format!(
                "the body is neither empty, nor the 32 bytes of a connection's exporter, nor a credential of {CREDENTIAL_LENGTH}"
            );
            return Err(ApiError::invalid("body", message));
        }
    };
    let answer = cbor::encode(&answer);
    Ok(answer::whole(StatusCode::OK, "application/cbor", answer))
}

fn unpaid(
    service: &Service,
    conversation: &Conversation,
    exporter: &[u8; 32],
) -> Result<Value, ApiError> {
    let last = match service.issuer.tab(exporter) {
        Some(tab) => tab.last(),
        None if *exporter == conversation.exporter => None,
        None => return Err(ApiError::tab_unknown()),
    };
    Ok(cbor::map([("last", optional(last.as_ref()))]))
}

async fn paid(service: &Service, credential: &Credential) -> Result<Value, ApiError> {
    let till = service.till.as_ref().ok_or_else(ApiError::nobody_pays)?;
    let issuer = &service.issuer;
    let lane = lane_of(till, issuer, credential).await?;
    let id = credential.tab;
    issuer
        .tabs
        .has_room(&id)
        .map_err(|_| ApiError::tabs_full())?;
    let (receipts, head) = match issuer.tabs.find(&id) {
        Some(tab) => {
            tab.raise(credential);
            tab.recent()
        }
        None => (Vec::new(), Standing::first(&issuer.key(), &id).head),
    };
    let (last, before) = match receipts.split_last() {
        Some((last, before)) => (Some(last), before),
        None => (None, &[][..]),
    };
    let array = |all: Vec<Vec<u8>>| Value::Array(all.into_iter().map(Value::Bytes).collect());
    let offers = till.prices.offers();
    Ok(cbor::map([
        (
            "quotes",
            array(offers.iter().map(|offer| offer.quote.encode()).collect()),
        ),
        ("last", optional(last)),
        (
            "before",
            array(before.iter().map(Receipt::encode).collect()),
        ),
        ("head", Value::Bytes(head.to_vec())),
        ("ceiling", Value::Integer(lane.ceiling.into())),
    ]))
}

fn optional(receipt: Option<&Receipt>) -> Value {
    receipt.map_or(Value::Null, |receipt| Value::Bytes(receipt.encode()))
}
