//! Requests, filled so that the size of their ciphertext says little about the words in them.

use bytes::{Bytes, BytesMut};
use chrysalis_wire::api::{MAX_BODY, MAX_RECORDING, TAB, max_body};
use hyper::{
    Request,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};

/// The least that a body is filled to.
const FLOOR: usize = 4096;

/// The same request, its body filled with white space to a power of two if that is JSON. An empty body stays empty. A recording
/// stays as it is: nothing may follow a form. So do the bytes that name a tab, of which one in 256 begins like JSON.
pub(crate) fn fill(mut request: Request<Bytes>) -> Request<Bytes> {
    let path = request.uri().path();
    let is_form = max_body(path) == MAX_RECORDING || path == TAB;
    let is_encoded = request.headers().contains_key(CONTENT_ENCODING);
    let is_json = request.body().trim_ascii_start().starts_with(b"{");
    if is_form || is_encoded || !is_json {
        return request;
    }
    let length = request.body().len();
    let filled = length.max(FLOOR).checked_next_power_of_two();
    let Some(filled) = filled.filter(|filled| *filled <= MAX_BODY) else {
        return request;
    };
    request.headers_mut().remove(CONTENT_LENGTH);
    request.map(|body| {
        let mut body = BytesMut::from(body);
        body.resize(filled, b' ');
        body.freeze()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(path: &str, body: &str, header: Option<(&str, &str)>) -> Request<Bytes> {
        let mut request = Request::post(path);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        fill(request.body(Bytes::from(body.to_owned())).unwrap())
    }

    #[test]
    fn what_names_a_tab_is_sent_as_it_is_whatever_it_begins_with() {
        let named = "{".repeat(32);
        assert_eq!(filled(TAB, &named, None).body(), named.as_bytes());
    }

    #[test]
    fn json_is_filled_to_powers_of_two_and_means_the_same() {
        for (length, size) in [
            (2, 4096),
            (4096, 4096),
            (4097, 8192),
            (MAX_BODY - 1, MAX_BODY),
            (MAX_BODY, MAX_BODY),
        ] {
            let body = format!("{{{}}}", " ".repeat(length - 2));
            let length = length.to_string();
            let request = filled("/v1/messages", &body, Some(("content-length", &length)));
            assert_eq!(request.body().len(), size);
            assert_eq!(request.body().trim_ascii_end(), body.as_bytes());
            assert!(!request.headers().contains_key(CONTENT_LENGTH));
        }
    }

    #[test]
    fn what_white_space_would_change_stays_as_it_is() {
        let too_long = format!("{{{}}}", "1".repeat(MAX_BODY));
        for (path, body, header) in [
            ("/v1/chat/completions", "", None),
            ("/v1/chat/completions", "a=b", None),
            ("/v1/chat/completions", too_long.as_str(), None),
            (
                "/v1/chat/completions",
                "{}",
                Some(("content-encoding", "gzip")),
            ),
            ("/v1/audio/transcriptions", "{}", None),
        ] {
            assert_eq!(filled(path, body, header).body(), body);
        }
    }
}
