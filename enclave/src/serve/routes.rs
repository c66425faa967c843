//! What answers each path.

use chrysalis_wire::api;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, body::Incoming};
use serde_json::{Value, json};

use super::{
    answer::{self, Body},
    anthropic, chat,
    chunks::{Answer, Events},
    completions,
    conversation::Conversation,
    embeddings,
    error::ApiError,
    evidence,
    intake::{self, Arriving},
    models, ohttp,
    pad::Padder,
    receipted, rerank, responses,
    service::Service,
    sse, tenant, transcriptions,
};
use crate::engine::Tenant;

/// Who asks.
#[derive(Clone, Copy)]
struct Asker<'a> {
    /// The connection, which a relay may share among many.
    conversation: &'a Conversation,
    /// What only the asker and the enclave know.
    secret: &'a [u8; 32],
    /// Whether the request came through a relay.
    relayed: bool,
}

/// Answers one request of a connection.
pub(super) async fn answer(
    service: &Service,
    request: Request<Incoming>,
    conversation: &Conversation,
) -> Response<Body> {
    let request = request.map(intake::arriving);
    let is_relays = request.method() == Method::POST
        && service.trust.over().is_none()
        && intake::fits(&request)
        && Route::of(request.uri().path()) == Some(Route::Ohttp);
    if is_relays {
        return relayed(service, request, conversation).await;
    }
    let asker = Asker {
        conversation,
        secret: &conversation.exporter,
        relayed: false,
    };
    plainly(service, request, asker).await
}

/// Answers a request that came through a relay, sealed.
async fn relayed(
    service: &Service,
    request: Request<Arriving>,
    conversation: &Conversation,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    match ohttp::receive(service, &head.headers, body).await {
        Err(refused) => ohttp::refusal(service, refused).await,
        Ok(received) => {
            let asker = Asker {
                conversation,
                secret: &received.asker,
                relayed: true,
            };
            let request = received.request.map(intake::arrived);
            // Filled before it is sealed: what is sealed has the length of what is inside.
            let padder = Padder::new(service.serving().padding, request.method());
            let answer = plainly(service, request, asker).await;
            let answer = padder.fill(answer).await;
            ohttp::sealed(service, received.answering, answer).await
        }
    }
}

async fn plainly(
    service: &Service,
    request: Request<Arriving>,
    asker: Asker<'_>,
) -> Response<Body> {
    if !intake::fits(&request) {
        return answer::error(&ApiError::head_too_long());
    }
    let (head, body) = request.into_parts();
    let route = Route::of(head.uri.path()).filter(|route| !asker.relayed || route.is_for_relays());
    let anthropics = route == Some(Route::Messages);
    let over = service.trust.over().map(ApiError::trust_ended);
    let answered = match (over, route) {
        (Some(ended), _) => Err(ended),
        (None, None) => Err(ApiError::unknown_route()),
        (None, Some(route)) if !route.methods().contains(&head.method) => {
            return answer::wrong_method(route.methods());
        }
        (None, Some(Route::Models)) => Ok(models::list(service)),
        (None, Some(Route::Model(name))) => models::one(service, &name),
        (None, Some(Route::Attestation)) => {
            let query = head.uri.query().unwrap_or_default();
            evidence::bundle(service, query, asker.conversation).await
        }
        (None, Some(Route::Epoch)) => Ok(evidence::epoch(service)),
        (None, Some(Route::OhttpKeys)) => Ok(ohttp::keys(service)),
        (None, Some(Route::Health)) => health(service),
        (None, Some(Route::Tab)) => {
            receipted::tab(service, asker.conversation, &head.headers, body).await
        }
        (None, Some(route)) => {
            let telling = told(service, route, &head.headers, body, asker);
            if asker.relayed {
                receipted::relayed(service, &head.headers, telling).await
            } else {
                receipted::receipted(service, asker.conversation, &head.headers, telling).await
            }
        }
    };
    answered.unwrap_or_else(|error| {
        if anthropics {
            answer::error_as(&error, &anthropic::error_json(&error))
        } else {
            answer::error(&error)
        }
    })
}

/// Answers a request with a body.
async fn told(
    service: &Service,
    route: Route,
    headers: &HeaderMap,
    body: Arriving,
    asker: Asker<'_>,
) -> Result<Response<Body>, ApiError> {
    let Asker {
        conversation,
        secret,
        ..
    } = asker;
    let tenants = &service.measured.configuration.tenants;
    let tenant = tenant::of(headers, tenants, secret)?;
    if route == Route::Transcriptions {
        let recording = transcriptions::receive(service, &tenant, headers, body).await?;
        service.drain.admits()?;
        conversation.is_answered();
        return recording.transcribe().await;
    }
    let body = intake::json(headers, body).await?;
    service.drain.admits()?;
    conversation.is_answered();
    match route {
        Route::Responses => responses::respond(service, &tenant, body).await,
        Route::Messages => anthropic::respond(service, &tenant, body).await,
        Route::Embeddings => embeddings::embed(service, &tenant, body).await,
        Route::Rerank => rerank::rank(service, &tenant, body).await,
        route => completion(service, &tenant, route, body).await,
    }
}

async fn completion(
    service: &Service,
    tenant: &Tenant,
    route: Route,
    body: Value,
) -> Result<Response<Body>, ApiError> {
    let answer = match route {
        Route::Completions => completions::complete(service, tenant, body).await?,
        _ => chat::chat(service, tenant, body).await?,
    };
    Ok(match answer {
        Answer::Whole(value) => answer::json(StatusCode::OK, &value),
        Answer::Stream(chunks) => sse::respond(Events::new(chunks)),
    })
}

/// Whether every model can be asked, and whether that is worth it.
fn health(service: &Service) -> Result<Response<Body>, ApiError> {
    service.drain.admits()?;
    if service.engines.all().iter().all(|served| served.ready()) {
        Ok(answer::json(StatusCode::OK, &json!({"status": "ok"})))
    } else {
        Err(ApiError::no_engine())
    }
}

/// The paths that there are.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Chat,
    Completions,
    Responses,
    Messages,
    Embeddings,
    Rerank,
    Transcriptions,
    Tab,
    Models,
    Model(String),
    Attestation,
    Epoch,
    OhttpKeys,
    Ohttp,
    Health,
}

impl Route {
    /// The route of a path. Clients join base addresses and paths with extra slashes before, between and after.
    fn of(path: &str) -> Option<Self> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        let path = parts.fold(String::new(), |path, part| path + "/" + part);
        match path.as_str() {
            api::CHAT => Some(Self::Chat),
            api::COMPLETIONS => Some(Self::Completions),
            api::RESPONSES => Some(Self::Responses),
            api::MESSAGES => Some(Self::Messages),
            api::EMBEDDINGS => Some(Self::Embeddings),
            api::RERANK => Some(Self::Rerank),
            api::TRANSCRIPTIONS => Some(Self::Transcriptions),
            api::TAB => Some(Self::Tab),
            api::MODELS => Some(Self::Models),
            api::ATTESTATION => Some(Self::Attestation),
            api::ATTESTATION_EPOCH => Some(Self::Epoch),
            api::OHTTP_KEYS => Some(Self::OhttpKeys),
            api::OHTTP => Some(Self::Ohttp),
            api::HEALTH => Some(Self::Health),
            path => {
                let name = path.strip_prefix(api::MODELS)?.strip_prefix('/')?;
                Some(Self::Model(decoded(name)))
            }
        }
    }

    /// Whether a request through a relay is answered here. Evidence is about a connection, of which a relay's client has none.
    fn is_for_relays(&self) -> bool {
        !matches!(
            self,
            Self::Attestation | Self::OhttpKeys | Self::Ohttp | Self::Tab
        )
    }

    fn methods(&self) -> &'static [Method] {
        static TOLD: [Method; 1] = [Method::POST];
        // For HEAD, hyper sends only the headers.
        static READ: [Method; 2] = [Method::GET, Method::HEAD];
        match self {
            Self::Models
            | Self::Model(_)
            | Self::Attestation
            | Self::Epoch
            | Self::OhttpKeys
            | Self::Health => &READ,
            _ => &TOLD,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_route() {
        let model = |name: &str| Some(Route::Model(name.to_owned()));
        assert_eq!(Route::of("/v1/models"), Some(Route::Models));
        assert_eq!(Route::of("/v1/models/org/tiny"), model("org/tiny"));
        assert_eq!(Route::of("/v1/completions"), Some(Route::Completions));
        assert_eq!(Route::of("/v1/engines"), None);
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
            ("/v1/attestation/epoch/", Route::Epoch),
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
}
