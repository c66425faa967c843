//! `GET /v1/attestation`: evidence about this machine, this connection and the asker's nonce. `GET /v1/attestation/epoch`: the same
//! about no nonce, made when the epoch began.

use std::time::Instant;

use chrysalis_attestation::evidence::binding::Session;
use chrysalis_wire::api::{self, NONCE, NONCE_LENGTH};
use hyper::{Response, StatusCode};

use super::{
    answer::{self, Body},
    conversation::Conversation,
    error::ApiError,
    service::Service,
};
use crate::attest::NoBundle;

/// Answers a request with this query.
pub(super) async fn bundle(
    service: &Service,
    query: &str,
    conversation: &Conversation,
) -> Result<Response<Body>, ApiError> {
    let nonce = nonce(query)?;
    if !conversation.may_ask_for_evidence(Instant::now()) {
        return Err(ApiError::evidence_busy());
    }
    conversation.is_answered();
    let exporter = conversation.exporter;
    match service
        .attester
        .bundle(&Session::Asked { nonce, exporter })
        .await
    {
        Ok(bundle) => Ok(answer::whole(StatusCode::OK, api::EVIDENCE_TYPE, bundle)),
        Err(NoBundle::Busy) => Err(ApiError::evidence_busy()),
        Err(NoBundle::Failed(failure)) => {
            tracing::error!(code = failure.code(), "no evidence: {failure}");
            Err(ApiError::no_evidence(failure.code()))
        }
    }
}

/// The current epoch's. It costs nothing, so it may be had as often as anybody likes.
pub(super) fn epoch(service: &Service) -> Response<Body> {
    let epoch = service.attester.epochs().current();
    answer::whole(StatusCode::OK, api::EVIDENCE_TYPE, epoch.bundle.clone())
}

/// A relying party's nonce: present once, with the right length.
fn nonce(query: &str) -> Result<[u8; NONCE_LENGTH], ApiError> {
    let given = query
        .split('&')
        .find_map(|pair| pair.strip_prefix(NONCE)?.strip_prefix('='))
        .ok_or_else(|| ApiError::missing(NONCE))?;
    let digits = NONCE_LENGTH.saturating_mul(2);
    if given.len() != digits {
        let message = format!(
            "nonce has {} characters; it takes {digits} hexadecimal digits, chosen at random for this one question",
            given.len()
        );
        return Err(ApiError::invalid(NONCE, message));
    }
    hex::decode(given)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| ApiError::invalid(NONCE, "nonce is not hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_nonce_of_the_right_length() {
        assert_eq!(
            nonce(&format!("x=1&nonce={}", "0a".repeat(32))).unwrap(),
            [10; 32]
        );
    }

    #[test]
    fn names_the_length_of_another_nonce() {
        let error = nonce("nonce=abcd").unwrap_err();
        assert_eq!(error.parameter.as_deref(), Some("nonce"));
        assert!(error.message.contains("4 characters"), "{}", error.message);
        assert_eq!(nonce("").unwrap_err().code, "missing_required_parameter");
        assert_eq!(
            nonce(&format!("nonce={}", "zz".repeat(32)))
                .unwrap_err()
                .code,
            "invalid_value"
        );
    }
}
