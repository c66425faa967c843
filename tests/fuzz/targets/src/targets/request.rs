//! What programs ask about evidence in JSON: Python and C hand it on as it is.

use chrysalis_attestation::request;

use super::NOW;

/// A question: it has a verdict, or there is a reason why it has none.
pub(super) fn request(bytes: &[u8]) {
    let Ok(question) = str::from_utf8(bytes) else {
        return;
    };
    match request::answer(question, NOW) {
        Ok(verdict) => assert!(verdict["verdict"].is_string(), "a verdict without a word"),
        Err(why) => assert!(!why.to_string().is_empty(), "a wordless error"),
    }
}
