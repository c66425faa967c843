//! The JSON in a request's body, and what is wrong if it is not JSON, in words that help its sender find the place.

use serde_json::Value;

use super::error::ApiError;

/// UTF-8's byte order mark. RFC 8259 §8.1 lets a parser skip it.
const MARK: &[u8] = b"\xEF\xBB\xBF";
/// UTF-16's, in both byte orders.
const UTF_16: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];
/// Bytes in an escape such as `\ud83d`.
const ESCAPE: usize = 6;

/// Reads the one JSON value that the body is.
pub(super) fn json(body: &[u8]) -> Result<Value, ApiError> {
    let body = body.strip_prefix(MARK).unwrap_or(body);
    if UTF_16.iter().any(|mark| body.starts_with(mark)) {
        return Err(ApiError::malformed(
            "the body is UTF-16; send JSON as UTF-8",
        ));
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to();
        ApiError::malformed(format!(
            "the body is not UTF-8 from byte {place} on; send JSON as UTF-8"
        ))
    })?;
    if text.trim_ascii().is_empty() {
        return Err(ApiError::malformed(
            "the body is empty; send a JSON object with model and messages",
        ));
    }
    serde_json::from_str(text).map_err(|error| {
        ApiError::malformed(match lone_surrogate(text) {
            Some((place, escape)) => format!(
                "{escape} at byte {place} is half of a character, as when a text is cut inside an emoji; \
                 leave it out, or send \\ufffd for it"
            ),
            None => format!("the body is not JSON: {error}"),
        })
    })
}

/// The first escape that is one half of a surrogate pair without the other, and where it is.
fn lone_surrogate(text: &str) -> Option<(usize, &str)> {
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find('\\') {
        at += found;
        match unit(text, at) {
            None => at += 2,
            Some(0xD800..0xDC00) => match unit(text, at + ESCAPE) {
                Some(0xDC00..0xE000) => at += 2 * ESCAPE,
                _ => return Some((at, text.get(at..at + ESCAPE)?)),
            },
            Some(0xDC00..0xE000) => return Some((at, text.get(at..at + ESCAPE)?)),
            Some(_) => at += ESCAPE,
        }
    }
    None
}

/// The UTF-16 unit escaped at this place, if there is one.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + ESCAPE)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn skips_a_byte_order_mark() {
        assert_eq!(json(b"\xEF\xBB\xBF{}").unwrap(), serde_json::json!({}));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (body, said) in [
            (&b""[..], "empty"),
            (b" \n", "empty"),
            (b"\xEF\xBB\xBF", "empty"),
            (b"\xFF\xFE{\0}\0", "UTF-16"),
            (b"\xFE\xFF\0{\0}", "UTF-16"),
            (b"{\"a\": \"\xE9\"}", "not UTF-8 from byte 7"),
            (b"{\"a\": \"\xED\xA0\xBD\"}", "not UTF-8 from byte 7"),
            (b"{", "not JSON"),
            (b"{} {}", "not JSON"),
        ] {
            let error = json(body).unwrap_err();
            assert_eq!((error.code, error.status.as_u16()), ("invalid_json", 400));
            assert!(error.message.contains(said), "{said}: {}", error.message);
        }
    }

    #[test]
    fn names_half_a_character() {
        for (body, said) in [
            (r#"{"a": "cut \ud83d"}"#, r"\ud83d at byte 11"),
            (r#"{"a": "\ud83d\n"}"#, r"\ud83d at byte 7"),
            (r#"{"a": "\uDE00 low"}"#, r"\uDE00 at byte 7"),
            (r#"{"a": "\ud83d\ud83d\ude00"}"#, r"\ud83d at byte 7"),
            (
                r#"{"a": "\ud83d\ude00 \\ud83d \ud83d"}"#,
                r"\ud83d at byte 28",
            ),
        ] {
            let error = json(body.as_bytes()).unwrap_err();
            assert!(error.message.starts_with(said), "{said}: {}", error.message);
        }
        assert_eq!(json(br#""\ud83d\ude00""#).unwrap(), "\u{1F600}");
    }

    proptest! {
        #[test]
        fn no_body_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in r#"(\\u?[dD]?[89a-fA-F]*|\\|"|é|\{)*"#) {
            let _ = json(&bytes);
            let _ = json(text.as_bytes());
        }
    }
}
