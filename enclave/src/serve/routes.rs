//! What answers each path.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrysalis_attestation::evidence::binding::Session;
use chrysalis_wire::api::{self, MAX_BODY, NONCE, NONCE_LENGTH};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::CONTENT_ENCODING,
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

/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// How much of an overlong body is still read, and thrown away, so that its sender gets to read why.
const MAX_DISCARDED: usize = 128 * 1024 * 1024;

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
        if !fits(&request) {
            return Ok(answer::error(&ApiError::head_too_long()));
        }
        let (head, body) = request.into_parts();
        let answered = match Route::of(head.uri.path()) {
            None => Err(ApiError::unknown_route()),
            Some(route) if !route.methods().contains(&head.method) => {
                return Ok(answer::wrong_method(route.methods()));
            }
            Some(Route::Chat) => self.chat(&head.headers, body, conversation).await,
            Some(Route::Models) => Ok(self.models()),
            Some(Route::Model(name)) => self.model(&name),
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
        headers: &HeaderMap,
        body: Incoming,
        conversation: &Conversation,
    ) -> Result<Response<Body>, ApiError> {
        if is_encoded(headers) {
            tokio::spawn(discard(body));
            return Err(ApiError::encoded_body());
        }
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

    /// The model as OpenAI describes one, with what its weights are and where the proof is.
    fn describe(&self) -> Value {
        let model = &self.measured.configuration.model;
        json!({
            "id": model.name,
            "object": "model",
            "created": 0,
            "owned_by": "chrysalis",
            "context_length": self.measured.configuration.engine.context,
            "weights": {"sha256": model.sha256, "verity_root": model.verity_root},
            "attestation": api::ATTESTATION,
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
            Ok(bundle) => Ok(answer::whole(StatusCode::OK, api::EVIDENCE_TYPE, bundle)),
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
enum Route {
    Chat,
    Models,
    Model(String),
    Attestation,
    Health,
}

impl Route {
    /// The route of a path. Clients join base addresses and paths with extra slashes before, between and after.
    fn of(path: &str) -> Option<Self> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        let path = parts.fold(String::new(), |path, part| path + "/" + part);
        match path.as_str() {
            api::CHAT => Some(Self::Chat),
            api::MODELS => Some(Self::Models),
            api::ATTESTATION => Some(Self::Attestation),
            api::HEALTH => Some(Self::Health),
            path => {
                let name = path.strip_prefix(api::MODELS)?.strip_prefix('/')?;
                Some(Self::Model(decoded(name)))
            }
        }
    }

    fn methods(&self) -> &'static [Method] {
        static TOLD: [Method; 1] = [Method::POST];
        // For HEAD, hyper sends only the headers.
        static READ: [Method; 2] = [Method::GET, Method::HEAD];
        match self {
            Self::Chat => &TOLD,
            _ => &READ,
        }
    }
}

/// A part of a path with its percent signs decoded (RFC 3986 §2.1): clients write a slash in a model's name as `%2F`. What
/// cannot be decoded stays as it is, and then names no model.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let encoded = after
            .first_chunk()
            .filter(|_| first == b'%')
            .and_then(|digits| hex_byte(*digits));
        let (byte, taken) = encoded.map_or((first, 1), |byte| (byte, 3));
        bytes.push(byte);
        rest = rest.get(taken..).unwrap_or_default();
    }
    String::from_utf8(bytes).unwrap_or_else(|_| part.to_owned())
}

fn hex_byte(digits: [u8; 2]) -> Option<u8> {
    let mut byte = [0];
    hex::decode_to_slice(digits, &mut byte).ok()?;
    Some(byte[0])
}

/// Whether the head is within the API's limits.
fn fits<B>(request: &Request<B>) -> bool {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
    api::head_fits(
        request.method().as_str(),
        &request.uri().to_string(),
        headers,
    )
}

/// Whether the body is compressed or otherwise encoded. This server does not decode it: a few bytes could unpack to any
/// size.
fn is_encoded(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity"))
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

/// Reads a body up to the limit. The rest of a longer one is thrown away in the background: a client that is still sending
/// when the connection closes would never read why.
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
        Ok(Err(_)) => Err(ApiError::malformed("the body ended early; send it again")),
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
        let model = |name: &str| Some(Route::Model(name.to_owned()));
        assert_eq!(Route::of("/v1/models"), Some(Route::Models));
        assert_eq!(Route::of("/v1/models/org/tiny"), model("org/tiny"));
        assert_eq!(Route::of("/v1/embeddings"), None);
        assert_eq!(Route::of("/v1/models/../../etc"), model("../../etc"));
        assert_eq!(Route::of("/"), None);
    }

    #[test]
    fn a_slash_too_many_changes_nothing() {
        for (path, route) in [
            ("/v1/models/", Route::Models),
            ("/v1//models", Route::Models),
            ("//v1/chat/completions/", Route::Chat),
            ("/v1/models/tiny/", Route::Model("tiny".to_owned())),
            ("/health/", Route::Health),
            ("/v1/attestation/", Route::Attestation),
        ] {
            assert_eq!(Route::of(path), Some(route), "{path}");
        }
    }

    #[test]
    fn a_models_name_may_be_percent_encoded() {
        for (path, name) in [
            ("/v1/models/org%2Ftiny", "org/tiny"),
            ("/v1/models/org%2ftiny", "org/tiny"),
            ("/v1/models/tiny%3Alatest", "tiny:latest"),
            ("/v1/models/caf%C3%A9", "café"),
            ("/v1/models/100%", "100%"),
            ("/v1/models/a%2", "a%2"),
            ("/v1/models/a%zz", "a%zz"),
            ("/v1/models/%ff", "%ff"),
            ("/v1/models/a%252Fb", "a%2Fb"),
        ] {
            assert_eq!(
                Route::of(path),
                Some(Route::Model(name.to_owned())),
                "{path}"
            );
        }
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
