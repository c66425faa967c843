//! What an app that is a web page needs so that its browser lets it read an answer: the CORS headers of the Fetch standard.

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
        HeaderName, HeaderValue, VARY,
    },
};

use super::reply::{self, Body};

/// How a browser asks before a page from the network may reach into this machine.
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");
/// What the API takes.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST");
/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
/// No answer here depends on cookies, so a page may read every header.
const EVERY_HEADER: HeaderValue = HeaderValue::from_static("*");
const BY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const BY_PREFLIGHT: HeaderValue = HeaderValue::from_static(
    "Access-Control-Request-Headers, Access-Control-Request-Private-Network",
);

/// Says yes to what a browser asks for an allowed page: the headers it names, the API key among them, and every method.
pub(super) fn preflight(asked: &HeaderMap) -> Response<Body> {
    let mut yes = Response::new(reply::whole(""));
    *yes.status_mut() = StatusCode::NO_CONTENT;
    let headers = yes.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(VARY, BY_PREFLIGHT);
    for wanted in asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.append(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    if asked.contains_key(REQUEST_PRIVATE_NETWORK) {
        headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    yes
}

/// Lets the page of `origin` read `answer`.
pub(super) fn readable(mut answer: Response<Body>, origin: HeaderValue) -> Response<Body> {
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EVERY_HEADER);
    headers.append(VARY, BY_ORIGIN);
    answer
}
