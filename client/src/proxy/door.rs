//! The door that local programs come through. Before anything else of a request is read, it is checked for the host that it
//! addresses, for where a browser sends it from, and for the token if there is one.

use std::net::SocketAddr;

use chrysalis_wire::{
    api,
    local::{Addressed, from_another_site},
};
use hyper::{
    HeaderMap, Method, Request,
    header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN},
};
use tokio::net::TcpListener;

use super::{access::Access, reply::BadRequest};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A listener, and who may come through it. None listens beyond loopback without a token.
pub struct Door {
    pub(super) listener: TcpListener,
    pub(super) rules: Rules,
}

/// Why a door is not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// The listener is beyond loopback, and that was not allowed.
    #[error("other machines can reach {0}; allow that explicitly, or listen on 127.0.0.1")]
    BeyondLoopback(SocketAddr),
    /// Other machines may ask, and there is no token.
    #[error("other machines can reach {0}, and that needs a token")]
    NoToken(SocketAddr),
    /// The listener has no address.
    #[error("the listener has no address: {0}")]
    NoAddress(#[from] std::io::Error),
}

impl Door {
    /// Opens `listener` to those whom `access` allows.
    pub fn open(listener: TcpListener, access: Access) -> Result<Self, DoorError> {
        let address = listener.local_addr()?;
        if !address.ip().to_canonical().is_loopback() {
            if !access.remote {
                return Err(DoorError::BeyondLoopback(address));
            }
            if access.token.is_none() {
                return Err(DoorError::NoToken(address));
            }
        }
        Ok(Self {
            listener,
            rules: Rules(access),
        })
    }
}

/// What each request is checked for.
pub(super) struct Rules(Access);

impl Rules {
    /// Where a request comes from, if requests from there are allowed at all. `local` is the connection's own end.
    pub(super) fn origin<B>(
        &self,
        request: &Request<B>,
        local: SocketAddr,
    ) -> Result<Option<HeaderValue>, BadRequest> {
        let headers = request.headers();
        let hosts = headers.get_all(HOST).into_iter();
        let target = request.uri().authority().map(AsRef::as_ref);
        match Addressed::of(
            hosts.map(HeaderValue::as_bytes),
            target,
            local,
            &self.0.host_names,
        ) {
            Addressed::Here => {}
            Addressed::Elsewhere => return Err(BadRequest::Misdirected { local }),
            Addressed::Unclear => return Err(BadRequest::NoHost { local }),
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) if comes_from_a_page(headers) => Err(BadRequest::WebPage),
            (None, _) => Ok(None),
            (Some(origin), None) if self.allows(origin) => Ok(Some(origin.clone())),
            _ => Err(BadRequest::WebPage),
        }
    }

    /// Checks the rest of the head: it must show the token, and must not be too long. A browser's preflight, which
    /// carries no token, is not asked.
    pub(super) fn head<B>(&self, request: &Request<B>) -> Result<(), BadRequest> {
        let headers = request.headers();
        if let Some(token) = &self.0.token {
            let mut shown = headers.get_all(AUTHORIZATION).iter();
            match (shown.next(), shown.next()) {
                (Some(shown), None) if token.is(shown.as_bytes()) => {}
                _ => return Err(BadRequest::NoToken),
            }
        }
        let target = request.uri().to_string();
        let lines = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        // The proxy names the job where the program does not.
        let named = headers.contains_key(api::JOB) || !api::is_job(request.uri().path());
        let lines = lines.chain((!named).then_some((api::JOB, &[b'0'; 32][..])));
        if !api::head_fits(request.method().as_str(), &target, lines) {
            return Err(BadRequest::HeadTooLong);
        }
        Ok(())
    }

    fn allows(&self, said: &HeaderValue) -> bool {
        self.0
            .origins
            .iter()
            .any(|origin| origin.is(said.as_bytes()))
    }
}

/// A browser that sends no `Origin`, as for images and links, still says where the request comes from.
fn comes_from_a_page(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    sites.any(|site| from_another_site(site.as_bytes()))
}

/// Whether this is a CORS preflight: a browser asks what the page may send, before it sends it.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
