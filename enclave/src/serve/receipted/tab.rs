//! `POST /v1/tab`: what a client needs to begin, and what it may have missed.

use std::sync::Arc;

use chrysalis_settle::{CREDENTIAL_LENGTH, Credential, OpenTab, Standing, TabId, Terms};
use hyper::{HeaderMap, Response, StatusCode};

use super::{headers::presence, paid::lane_of};
use crate::serve::{
    answer::{self, Body},
    conversation::Conversation,
    error::ApiError,
    intake::{self, Arriving},
    service::Service,
};

/// The most bytes of a body.
const MAX_ASKED: usize = 128;

/// Where a paid tab stands, whose credential is the body; or the tab of this connection, or of the one whose exporter is the body.
pub(in crate::serve) async fn tab(
    service: &Service,
    conversation: &Conversation,
    headers: &HeaderMap,
    body: Arriving,
) -> Result<Response<Body>, ApiError> {
    let asked = intake::bytes(headers, body, MAX_ASKED).await?;
    conversation.is_answered();
    let (id, tab, ceiling) = match asked.len() {
        0 => unpaid(service, conversation, &conversation.exporter)?,
        32 => {
            let mut exporter = [0; 32];
            exporter.copy_from_slice(&asked);
            unpaid(service, conversation, &exporter)?
        }
        CREDENTIAL_LENGTH => {
            let credential = Credential::decode(&asked);
            let credential = credential.map_err(|_| ApiError::broken())?;
            paid(service, conversation, headers, &credential).await?
        }
        _ => {
            let message = format!(
                "the body is neither empty, nor the 32 bytes of a connection's exporter, nor a credential of {CREDENTIAL_LENGTH}"
            );
            return Err(ApiError::invalid("body", message));
        }
    };
    let new = || {
        let first = Standing::first(&service.issuer.key(), &id);
        (Vec::new(), first.head)
    };
    let (mut before, head) = tab.map_or_else(new, |tab| tab.recent());
    let offers = service.till.as_ref().map(|till| till.prices.offers());
    let quotes = offers.into_iter().flatten();
    let terms = Terms {
        last: before.pop(),
        before,
        head,
        quotes: quotes.map(|offer| offer.quote.clone()).collect(),
        ceiling,
    };
    let kind = "application/cbor";
    Ok(answer::whole(StatusCode::OK, kind, terms.encode()))
}

/// A tab, if there is one by this name, and how far its lane goes.
type Found = (TabId, Option<Arc<OpenTab>>, u64);

fn unpaid(
    service: &Service,
    conversation: &Conversation,
    exporter: &[u8; 32],
) -> Result<Found, ApiError> {
    let id = TabId::unpaid(exporter);
    let tab = service.issuer.tabs.find(&id);
    if tab.is_none() && *exporter != conversation.exporter {
        return Err(ApiError::tab_unknown());
    }
    Ok((id, tab, 0))
}

async fn paid(
    service: &Service,
    conversation: &Conversation,
    headers: &HeaderMap,
    credential: &Credential,
) -> Result<Found, ApiError> {
    let till = service.till.as_ref().ok_or_else(ApiError::nobody_pays)?;
    let (tabs, id) = (&service.issuer.tabs, credential.tab);
    let presence = presence(headers)?;
    let shown = (credential, &presence);
    let lane = lane_of(till, &service.issuer, &conversation.exporter, shown).await?;
    tabs.has_room(&id).map_err(|_| ApiError::tabs_full())?;
    let tab = tabs.find(&id);
    if let Some(tab) = &tab {
        tab.raise(credential);
    }
    Ok((id, tab, lane.ceiling))
}
