//! Who answers which path.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrysalis_attestation::binding::Session;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    answer::{self, Body},
    chat::{Chat, Delivery},
    completion::{self, Envelope},
    conversation::Conversation,
    error::ApiError,
};
use crate::{
    attest::{Attester, NoBundle},
    configuration::Measured,
    engine::{Busy, Scheduler},
};

/// The most bytes of a request's body.
const MAX_BODY: usize = 1024 * 1024;
/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// How much of a body that is too long is still taken, and thrown away, so that its sender gets to read why.
const MAX_DISCARDED: usize = 128 * 1024 * 1024;
/// Bytes of a relying party's nonce.
const NONCE: usize = 32;
/// The media type of a bundle, RFC 9999.
const CMW_CBOR: &str = "application/cmw+cbor";

/// What all connections share.
pub(super) struct Service {
    measured: Arc<Measured>,
    fingerprint: String,
    scheduler: Scheduler,
    attester: Attester,
    random: SystemRandom,
}

impl Service {
    pub(super) fn new(measured: Arc<Measured>, scheduler: Scheduler, attester: Attester) -> Self {
        let digest = hex::encode(measured.digest);
        Self {
            fingerprint: format!("fp_{}", digest.get(..12).unwrap_or_default()),
            measured,
            scheduler,
            attester,
            random: SystemRandom::new(),
        }
    }

    /// Answers one request of a connection.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        conversation: &Conversation,
    ) -> Result<Response<Body>, Infallible> {
        let (head, body) = request.into_parts();
        let answered = match Route::of(head.uri.path()) {
            None => Err(ApiError::unknown_route()),
            Some(route) if head.method != route.method() => {
                return Ok(answer::wrong_method(&route.method()));
            }
            Some(Route::Chat) => self.chat(body, conversation).await,
            Some(Route::Models) => Ok(self.models()),
            Some(Route::Model(name)) => self.model(name),
            Some(Route::Attestation) => {
                self.attestation(head.uri.query().unwrap_or_default(), conversation)
                    .await
            }
            Some(Route::Health) => self.health(),
        };
        Ok(answered.unwrap_or_else(|error| answer::error(&error)))
    }

    async fn chat(
        &self,
        body: Incoming,
        conversation: &Conversation,
    ) -> Result<Response<Body>, ApiError> {
        let body = read(body).await?;
        conversation.is_answered();
        let configuration = &self.measured.configuration;
        let chat = Chat::parse(&body, configuration, u32::from_le_bytes(self.random()?))?;
        // The engine has its own copy; this one is not kept while it answers.
        drop(body);
        let envelope = Envelope::new(self.random()?, &configuration.model.name, &self.fingerprint);
        let events = self
            .scheduler
            .ask(chat.question)
            .map_err(|Busy| ApiError::busy())?;
        match chat.delivery {
            Delivery::Whole => completion::whole(envelope, events).await,
            Delivery::Stream { with_usage } => {
                completion::stream(envelope, events, with_usage).await
            }
        }
    }

    fn models(&self) -> Response<Body> {
        let list = json!({"object": "list", "data": [self.describe()]});
        answer::json(StatusCode::OK, &list)
    }

    fn model(&self, name: &str) -> Result<Response<Body>, ApiError> {
        let served = &self.measured.configuration.model.name;
        if name == served {
            Ok(answer::json(StatusCode::OK, &self.describe()))
        } else {
            Err(ApiError::model_not_found(name, served))
        }
    }

    /// As OpenAI describes a model, and what its weights are and where that is proved.
    fn describe(&self) -> Value {
        let model = &self.measured.configuration.model;
        json!({
            "id": model.name,
            "object": "model",
            "created": 0,
            "owned_by": "chrysalis",
            "context_length": self.measured.configuration.engine.context,
            "weights": {"sha256": model.sha256, "verity_root": model.verity_root},
            "attestation": "/v1/attestation",
        })
    }

    async fn attestation(
        &self,
        query: &str,
        conversation: &Conversation,
    ) -> Result<Response<Body>, ApiError> {
        let nonce = nonce(query)?;
        if !conversation.may_ask_for_evidence(Instant::now()) {
            return Err(ApiError::evidence_busy());
        }
        conversation.is_answered();
        let exporter = conversation.exporter;
        match self
            .attester
            .bundle(&Session::Asked { nonce, exporter })
            .await
        {
            Ok(bundle) => Ok(answer::whole(StatusCode::OK, CMW_CBOR, bundle)),
            Err(NoBundle::Busy) => Err(ApiError::evidence_busy()),
            Err(NoBundle::Failed(failure)) => {
                tracing::error!(code = failure.code(), "no evidence: {failure}");
                Err(ApiError::no_evidence(failure.code()))
            }
        }
    }

    fn health(&self) -> Result<Response<Body>, ApiError> {
        if self.scheduler.ready() {
            Ok(answer::json(StatusCode::OK, &json!({"status": "ok"})))
        } else {
            Err(ApiError::no_engine())
        }
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], ApiError> {
        let mut bytes = [0; N];
        match self.random.fill(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(_) => Err(ApiError::broken()),
        }
    }
}

/// The paths that there are.
#[derive(Debug, PartialEq, Eq)]
enum Route<'a> {
    Chat,
    Models,
    Model(&'a str),
    Attestation,
    Health,
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Option<Self> {
        match path {
            "/v1/chat/completions" => Some(Self::Chat),
            "/v1/models" => Some(Self::Models),
            "/v1/attestation" => Some(Self::Attestation),
            "/health" => Some(Self::Health),
            _ => path.strip_prefix("/v1/models/").map(Self::Model),
        }
    }

    fn method(&self) -> Method {
        match self {
            Self::Chat => Method::POST,
            _ => Method::GET,
        }
    }
}

/// A relying party's nonce: there once, and of the right length.
fn nonce(query: &str) -> Result<[u8; NONCE], ApiError> {
    let given = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("nonce="))
        .ok_or_else(|| ApiError::missing("nonce"))?;
    let digits = NONCE.saturating_mul(2);
    if given.len() != digits {
        let message = format!(
            "nonce has {} characters; it takes {digits} hexadecimal digits, chosen at random for this one question",
            given.len()
        );
        return Err(ApiError::invalid("nonce", message));
    }
    hex::decode(given)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| ApiError::invalid("nonce", "nonce is not hexadecimal"))
}

/// Reads a body up to the limit. Of one that is longer, the rest is thrown away in the background: a client that is
/// still sending when the connection closes would never read why.
async fn read(body: Incoming) -> Result<Bytes, ApiError> {
    let announced = body.size_hint().lower();
    if announced > MAX_BODY as u64 {
        tokio::spawn(discard(body));
        return Err(ApiError::body_too_long(MAX_BODY));
    }
    let mut body = body;
    match timeout(BODY_PATIENCE, Limited::new(&mut body, MAX_BODY).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            tokio::spawn(discard(body));
            Err(ApiError::body_too_long(MAX_BODY))
        }
        Ok(Err(_)) => Err(ApiError::malformed("the body broke off; send it again")),
        Err(_) => Err(ApiError::slow_body(BODY_PATIENCE.as_secs())),
    }
}

async fn discard(mut body: Incoming) {
    let mut left = MAX_DISCARDED;
    let discarding = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    let _ = timeout(BODY_PATIENCE, discarding).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_route() {
        assert_eq!(Route::of("/v1/models"), Some(Route::Models));
        assert_eq!(
            Route::of("/v1/models/org/tiny"),
            Some(Route::Model("org/tiny"))
        );
        assert_eq!(Route::of("/v1/embeddings"), None);
        assert_eq!(
            Route::of("/v1/models/../../etc"),
            Some(Route::Model("../../etc"))
        );
    }

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
