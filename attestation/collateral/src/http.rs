//! One HTTP exchange: rustls on ring, the system's roots, no redirects, every byte counted.
//!
//! TLS keeps others from watching and meddling; nothing depends on it, because every object is signed by its vendor.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use ureq::{
    Agent, Body,
    http::{HeaderMap, Response},
    tls::{Certificate, RootCerts, TlsConfig},
};

use crate::error::Trouble;

/// The maximum size of one answer, in bytes. Intel's longest list and NVIDIA's longest manifest have less than a tenth of that.
pub(crate) const MAX_ANSWER: u64 = 1024 * 1024;
/// The maximum size of an answer's header, in bytes; it contains Intel's issuer chains.
const MAX_HEADER: usize = 64 * 1024;
/// The header of Intel's answers that contains the issuer chain.
const ISSUER_CHAINS: [&str; 3] = [
    "tcb-info-issuer-chain",
    "sgx-enclave-identity-issuer-chain",
    "sgx-pck-crl-issuer-chain",
];

/// A client, with its connections.
#[derive(Debug)]
pub struct Http(Agent);

/// What is asked of a server that is no vendor's, such as a network's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask<'a> {
    /// GET.
    Get,
    /// PUT of this content, of this type.
    Put(&'static str, &'a [u8]),
    /// POST of this content, of this type.
    Post(&'static str, &'a [u8]),
}

/// What it said: whatever the status is, at most a mebibyte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The HTTP status.
    pub status: u16,
    /// The content.
    pub body: Vec<u8>,
}

/// That it said nothing that counts, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(String);

/// The answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    /// Percent-encoded PEM.
    pub(crate) issuers: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Another attempt may succeed.
    Passing(Trouble),
    /// More than [`MAX_ANSWER`].
    TooLarge,
    /// Not HTTP, or not a valid address.
    Form,
}

impl Http {
    /// Trusts the roots that the system trusts, so that a company's internal cache needs no option. Proxies are the
    /// environment's (`HTTPS_PROXY`, `NO_PROXY`).
    pub fn new() -> Self {
        let found = rustls_native_certs::load_native_certs();
        let roots: Vec<Certificate<'static>> = found
            .certs
            .iter()
            .map(|root| Certificate::from_der(root).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&roots))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(MAX_HEADER)
            .user_agent(concat!("chrysalis/", env!("CARGO_PKG_VERSION")))
            .build();
        Self(config.new_agent())
    }

    /// Asks somebody who is no vendor, once.
    pub fn exchange(
        &self,
        url: &str,
        ask: Ask<'_>,
        patience: Duration,
    ) -> Result<Said, Unanswered> {
        let reply = self.call(url, ask, None, MAX_ANSWER, patience);
        reply.map(Said::of).map_err(Unanswered::of)
    }

    /// The same for a file of at most so many bytes.
    pub fn get(&self, url: &str, most: u64, patience: Duration) -> Result<Said, Unanswered> {
        let reply = self.call(url, Ask::Get, None, most, patience);
        reply.map(Said::of).map_err(|broken| match broken {
            Broken::TooLarge => Unanswered(format!("its answer has more than {most} bytes")),
            other => Unanswered::of(other),
        })
    }

    /// GET, or POST of an OCSP request, and the whole answer.
    pub(crate) fn ask(
        &self,
        url: &str,
        question: Option<&[u8]>,
        patience: Duration,
    ) -> Result<Reply, Broken> {
        let (ask, accept) = match question {
            None => (Ask::Get, None),
            Some(question) => (
                Ask::Post("application/ocsp-request", question),
                Some("application/ocsp-response"),
            ),
        };
        self.call(url, ask, accept, MAX_ANSWER, patience)
    }

    fn call(
        &self,
        url: &str,
        ask: Ask<'_>,
        accept: Option<&str>,
        most: u64,
        patience: Duration,
    ) -> Result<Reply, Broken> {
        let (mut request, content) = match ask {
            Ask::Get => {
                let get = self.0.get(url).config();
                return reply(get.timeout_global(Some(patience)).build().call(), most);
            }
            Ask::Put(kind, content) => (self.0.put(url).content_type(kind), content),
            Ask::Post(kind, content) => (self.0.post(url).content_type(kind), content),
        };
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let request = request.config().timeout_global(Some(patience)).build();
        reply(request.send(content), most)
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

fn reply(answered: Result<Response<Body>, ureq::Error>, most: u64) -> Result<Reply, Broken> {
    let (head, mut body) = answered.map_err(|error| broken(&error))?.into_parts();
    let body = body.with_config().limit(most).read_to_vec();
    let headers = &head.headers;
    Ok(Reply {
        status: head.status.as_u16(),
        retry_after: text(headers, "retry-after"),
        issuers: ISSUER_CHAINS.iter().find_map(|name| text(headers, name)),
        body: body.map_err(|error| broken(&error))?,
    })
}

impl Said {
    fn of(Reply { status, body, .. }: Reply) -> Self {
        Self { status, body }
    }
}

impl Unanswered {
    fn of(broken: Broken) -> Self {
        Self(match broken {
            Broken::Passing(trouble) => trouble.to_string(),
            Broken::TooLarge => format!("its answer has more than {MAX_ANSWER} bytes"),
            Broken::Form => "it does not speak HTTP, or the address is wrong".to_owned(),
        })
    }
}

/// The only value of a header; two would be ambiguous.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::to_owned),
        _ => None,
    }
}

fn broken(error: &ureq::Error) -> Broken {
    use ureq::Error;
    let passing = Broken::Passing;
    match error {
        Error::BodyExceedsLimit(_) => Broken::TooLarge,
        Error::Timeout(_) => passing(Trouble::Stalled),
        Error::Io(error) => match error.kind() {
            ErrorKind::UnexpectedEof => passing(Trouble::Truncated),
            ErrorKind::TimedOut | ErrorKind::WouldBlock => passing(Trouble::Stalled),
            _ => passing(Trouble::Unreachable(error.to_string())),
        },
        Error::Protocol(_) | Error::Http(_) | Error::BadUri(_) | Error::LargeResponseHeader(..) => {
            Broken::Form
        }
        other => passing(Trouble::Unreachable(other.to_string())),
    }
}
