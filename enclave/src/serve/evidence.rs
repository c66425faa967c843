//! `GET /v1/attestation`: evidence about this machine, this connection and the asker's nonce. `GET /v1/attestation/epoch`: the same
//! about no nonce, made when the epoch began.

use std::time::Instant;

use chrysalis_attestation::evidence::binding::Session;
use chrysalis_wire::api::{self, HAVE, MAX_HAVE, NONCE, NONCE_LENGTH};
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
    let (nonce, have) = (nonce(query)?, have(query)?);
    if !conversation.may_ask_for_evidence(Instant::now()) {
        return Err(ApiError::evidence_busy());
    }
    conversation.is_answered();
    let exporter = conversation.exporter;
    let session = Session::Asked { nonce, exporter };
    let answer = service.desk.ask(session).await;
    match answer.and_then(|answer| answer.bundle(&have)) {
        Ok(bundle) => Ok(answer::whole(StatusCode::OK, api::EVIDENCE_TYPE, bundle)),
        Err(NoBundle::Busy) => Err(ApiError::evidence_busy()),
        Err(NoBundle::Failed(failure)) => Err(ApiError::no_evidence(failure.code())),
    }
}

/// The current epoch's. It costs nothing, so it may be had as often as anybody likes.
pub(super) fn epoch(service: &Service) -> Response<Body> {
    let epoch = service.attester.epochs().current();
    answer::whole(StatusCode::OK, api::EVIDENCE_TYPE, epoch.bundle.clone())
}

/// The values of a query's parameter.
fn values<'q>(query: &'q str, name: &str) -> impl Iterator<Item = &'q str> {
    let named = move |pair: &'q str| pair.strip_prefix(name)?.strip_prefix('=');
    query.split('&').filter_map(named)
}

/// A relying party's nonce: present once, with the right length.
fn nonce(query: &str) -> Result<[u8; NONCE_LENGTH], ApiError> {
    let given = values(query, NONCE).next();
    let given = given.ok_or_else(|| ApiError::missing(NONCE))?;
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

/// The digests of what the client has of earlier bundles: any number of parameters, each with digests between commas.
fn have(query: &str) -> Result<Vec<[u8; 32]>, ApiError> {
    let given = values(query, HAVE).flat_map(|list| list.split(','));
    let digests: Vec<_> = given.take(MAX_HAVE.saturating_add(1)).collect();
    if digests.len() > MAX_HAVE {
        let message = format!("have names more than {MAX_HAVE} digests; name the latest of them");
        return Err(ApiError::invalid(HAVE, message));
    }
    let read = |digits: &&str| hex::decode(digits).ok()?.try_into().ok();
    let digests: Option<_> = digests.iter().map(read).collect();
    digests.ok_or_else(|| {
        let message = "have takes SHA-256 digests, 64 hexadecimal digits each, with commas between";
        ApiError::invalid(HAVE, message)
    })
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
    #[test]
    fn takes_digests_with_commas_or_one_at_a_time() {
        let [a, b] = ["0a".repeat(32), "0B".repeat(32)];
        let both = vec![[10; 32], [11; 32]];
        assert_eq!(have(&format!("nonce=x&have={a},{b}")).unwrap(), both);
        assert_eq!(have(&format!("have={a}&have={b}")).unwrap(), both);
        assert_eq!(have("nonce=x").unwrap(), Vec::<[u8; 32]>::new());
    }

    #[test]
    fn names_what_is_no_digest_and_how_many_there_may_be() {
        for wrong in [
            "have=",
            "have=ab",
            "have=zz",
            &format!("have={},", "0a".repeat(32)),
        ] {
            let error = have(wrong).unwrap_err();
            assert_eq!(
                (error.code, error.parameter.as_deref()),
                ("invalid_value", Some("have"))
            );
            assert!(error.message.contains("64 hexadecimal digits"), "{wrong}");
        }
        let many = |count| format!("have={}", vec!["0a".repeat(32); count].join(","));
        assert_eq!(have(&many(MAX_HAVE)).unwrap().len(), MAX_HAVE);
        let error = have(&many(MAX_HAVE + 1)).unwrap_err();
        assert!(error.message.contains("more than 16"), "{}", error.message);
    }
}
