//! Requests through a relay (RFC 9458): the relay sees who asks and not what, the enclave and its host see what is asked and not by
//! whom. docs/spec/relay.md says what travels.

mod arriving;

use std::{fmt, io, str::FromStr, sync::Arc};

use bytes::Bytes;
use chrysalis_attestation::Rejection;
use chrysalis_ohttp::{self as ohttp, Awaiting, Configuration, Form};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use self::arriving::Arriving;
pub(crate) use self::arriving::Body;
use crate::{Deadlines, Dial, Error, channel::Task, deadlines::within, error::from_hyper, tls};

/// What a gateway says of a request for a key that it does not have (RFC 9458 §5.3), and for one whose identifier another key has.
const KEY_PROBLEMS: [&str; 2] = ["#ohttp-key", "encapsulation_altered"];
/// The most bytes of what it says of that.
const MAX_PROBLEM: usize = 16 * 1024;

/// Where a relay takes requests for one enclave.
#[derive(Clone)]
pub struct Relay {
    uri: Uri,
    host: String,
    port: u16,
    /// `None` over plain HTTP.
    tls: Option<Arc<ClientConfig>>,
}

/// An address of a relay that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Not an address.
    #[error("`{0}` is not a relay's address; write it as https://HOST/PATH")]
    Malformed(String),
    /// This machine's roots or TLS are unusable.
    #[error("this machine cannot verify a relay's certificate: {0}; install its CA certificates")]
    Local(String),
}

impl FromStr for Relay {
    type Err = RelayError;

    fn from_str(text: &str) -> Result<Self, RelayError> {
        let malformed = || RelayError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let (tls, default_port) = match uri.scheme_str() {
            Some("https") => (Some(tls::ordinary().map_err(RelayError::Local)?), 443),
            Some("http") => (None, 80),
            _ => return Err(malformed()),
        };
        let authority = uri.authority().ok_or_else(malformed)?;
        if authority.as_str().contains('@') {
            return Err(malformed());
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(default_port);
        Ok(Self {
            uri,
            host,
            port,
            tls,
        })
    }
}

/// Says where it is.
impl fmt::Debug for Relay {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_tuple("Relay").field(&self.uri).finish()
    }
}

/// A way through a relay to an enclave whose keys its evidence covers.
pub(crate) struct Way {
    relay: Relay,
    configuration: Configuration,
    authority: String,
}

impl Way {
    /// `keys` is what the enclave gives out, `digest` what its evidence says of that.
    pub(crate) fn new(
        relay: Relay,
        authority: String,
        keys: &[u8],
        digest: [u8; 32],
    ) -> Result<Self, Error> {
        let configuration = Configuration::proved(keys, &digest).map_err(|error| match error {
            ohttp::Error::Unproved => Error::RelayKeys,
            ohttp::Error::Classical => Rejection::KeyAgreementWeak {
                found: "x25519".to_owned(),
            }
            .into(),
            error => Error::Protocol(error.to_string()),
        })?;
        Ok(Self {
            relay,
            configuration,
            authority,
        })
    }

    /// Sends one request, and waits for the head of its answer.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        dial: &Dial,
        deadlines: &Deadlines,
    ) -> Result<Response<Body>, Error> {
        let (sealed, awaiting) = self.sealed(request).await?;
        let (mut sender, driver) = self.connect(dial, deadlines).await?;
        let path = self.relay.uri.path_and_query();
        let host = self.relay.uri.authority().map_or("", |it| it.as_str());
        let request = Request::post(path.map_or("/", |path| path.as_str()))
            .header(HOST, host)
            .header(CONTENT_TYPE, Form::Chunked.request_type())
            .body(Full::new(Bytes::from(sealed)))
            .map_err(|error| Error::Local(error.to_string()))?;
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| from_hyper(&error, "answer"))?;
        let answer = accepted(answer).await?;
        Arriving::new(answer.into_body(), awaiting, driver)
            .response()
            .await
    }

    async fn sealed(&self, request: Request<Full<Bytes>>) -> Result<(Vec<u8>, Awaiting), Error> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await;
        let headers = head.headers.iter().filter(|(name, _)| **name != HOST);
        let headers = headers.map(|(name, value)| {
            let name = name.as_str().as_bytes();
            (name.to_vec(), value.as_bytes().to_vec())
        });
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let inside = ohttp::Request {
            method: head.method.as_str().into(),
            scheme: b"https".to_vec(),
            authority: self.authority.clone().into(),
            path: path.into(),
            headers: headers.collect(),
            body: body.to_bytes().into(),
        };
        inside
            .encode_padded()
            .and_then(|message| ohttp::encapsulate(&self.configuration, Form::Chunked, &message))
            .map_err(|error| Error::Local(error.to_string()))
    }

    async fn connect(
        &self,
        dial: &Dial,
        deadlines: &Deadlines,
    ) -> Result<(http1::SendRequest<Full<Bytes>>, Task), Error> {
        let unreachable = |why: io::Error| Error::Unreachable {
            address: self.relay.uri.to_string(),
            why: why.to_string(),
        };
        let dial = dial.clone().anywhere();
        let tcp = dial.connect(&self.relay.host, self.relay.port);
        let tcp = within(deadlines.connect, "TCP connection to the relay", tcp).await?;
        let tcp = tcp.map_err(unreachable)?;
        let Some(configuration) = &self.relay.tls else {
            return begin(tcp).await;
        };
        let name = ServerName::try_from(self.relay.host.clone());
        let name = name.map_err(|error| Error::Local(error.to_string()))?;
        let handshake = TlsConnector::from(Arc::clone(configuration)).connect(name, tcp);
        let tls = within(
            deadlines.handshake,
            "TLS handshake with the relay",
            handshake,
        )
        .await?;
        begin(tls.map_err(unreachable)?).await
    }
}

async fn begin(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<(http1::SendRequest<Full<Bytes>>, Task), Error> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| from_hyper(&error, "connection"))?;
    let driver = tokio::spawn(async move {
        // Whatever ends the connection reaches whoever waits for the answer.
        let _ = connection.await;
    });
    Ok((sender, driver.into()))
}

/// The answer, if it is the enclave's.
async fn accepted(answer: Response<Incoming>) -> Result<Response<Incoming>, Error> {
    let status = answer.status();
    let kind = answer.headers().get(CONTENT_TYPE);
    let expected = Form::Chunked.answer_type().as_bytes();
    if status == StatusCode::OK && kind.is_some_and(|kind| kind.as_bytes().starts_with(expected)) {
        return Ok(answer);
    }
    if status == StatusCode::BAD_REQUEST && is_about_key(answer.into_body()).await {
        return Err(Error::RelayKeyGone);
    }
    Err(Error::Relay {
        why: format!("it answered {status}, and nothing of the enclave's"),
    })
}

async fn is_about_key(body: Incoming) -> bool {
    let Ok(body) = Limited::new(body, MAX_PROBLEM).collect().await else {
        return false;
    };
    let said: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    let [kind, code] = [&said["type"], &said["error"]["code"]].map(|it| it.as_str().unwrap_or(""));
    kind.ends_with(KEY_PROBLEMS[0]) || code == KEY_PROBLEMS[1]
}

#[cfg(test)]
mod tests {
    use chrysalis_attestation::encoding::digest::sha256;

    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        let relay: Relay = "http://127.0.0.1:8081/enclave".parse().unwrap();
        assert_eq!((relay.host.as_str(), relay.port), ("127.0.0.1", 8081));
        let relay: Relay = "http://[::1]/".parse().unwrap();
        assert_eq!((relay.host.as_str(), relay.port), ("::1", 80));
        for wrong in ["", "relay.example", "ftp://a/", "https://me@a/", "http:///"] {
            let error = wrong.parse::<Relay>().unwrap_err();
            assert_eq!(error, RelayError::Malformed(wrong.to_owned()));
        }
    }

    #[test]
    fn keys_count_only_if_evidence_covers_them_and_they_last() {
        let relay: Relay = "http://127.0.0.1:1/".parse().unwrap();
        let way = |keys: &[u8], digest| Way::new(relay.clone(), "a".into(), keys, digest);
        let code = |keys: &[u8], digest| way(keys, digest).err().unwrap().code();
        let seed = zeroize::Zeroizing::new([7; ohttp::SEED]);
        let keys = ohttp::GatewayKeys::new(0, &seed);
        let keys = keys.configurations();
        assert!(way(keys, sha256(&[keys])).is_ok());
        assert_eq!(code(keys, [0; 32]), "relay_keys_unproved");
        assert_eq!(code(b"none", sha256(&[b"none"])), "protocol_error");
        let first = 2 + usize::from(u16::from_be_bytes([keys[0], keys[1]]));
        let classical = &keys[first..];
        assert_eq!(code(classical, sha256(&[classical])), "key_agreement_weak");
    }
}
