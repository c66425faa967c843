//! What the enclave's API and its clients agree on: where things are, and bounds that both keep, so that neither side's
//! surprises the other. What a client lets through the enclave takes, and no connection is used that the enclave is about
//! to close.

use std::time::Duration;

/// What both sides speak on a connection, as TLS names it (ALPN).
pub const ALPN: &[u8] = b"http/1.1";
/// Where prompts go.
pub const CHAT: &str = "/v1/chat/completions";
/// Where texts go that are to be continued.
pub const COMPLETIONS: &str = "/v1/completions";
/// The same as a response, as OpenAI's newer API has it.
pub const RESPONSES: &str = "/v1/responses";
/// The same as a message, as Anthropic's API has it.
pub const MESSAGES: &str = "/v1/messages";
/// Where texts go that are to become vectors.
pub const EMBEDDINGS: &str = "/v1/embeddings";
/// Where documents go that are to be ranked.
pub const RERANK: &str = "/v1/rerank";
/// Where recordings go that are to be transcribed.
pub const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";
/// Where the models are listed; below it is each of them, by name.
pub const MODELS: &str = "/v1/models";
/// Where the last receipt of a connection comes from.
pub const TAB: &str = "/v1/tab";
/// The header in which a request names its job, so that the answer gets a receipt: 16 random bytes in hexadecimal.
pub const JOB: &str = "x-chrysalis-job";
/// The header in which a paid request names the quote that it is priced by: 64 hexadecimal digits.
pub const QUOTE: &str = "x-chrysalis-quote";
/// The header in which a paid request carries its cap: `chrysalis_settle::Credential`, base64url without padding.
pub const CAP: &str = "x-chrysalis-cap";
/// The header in which a client of a paid tab shows that it has the lane's key, on this connection: 64 bytes, base64url without padding.
pub const PRESENCE: &str = "x-chrysalis-presence";
/// The header in which a whole answer carries its receipt: base64url without padding.
pub const RECEIPT: &str = "x-chrysalis-receipt";
/// The name of the event in which a stream carries its receipt, before its last event.
pub const RECEIPT_EVENT: &str = "receipt";
/// Where evidence comes from.
pub const ATTESTATION: &str = "/v1/attestation";
/// Where the current epoch's evidence comes from, about no nonce: as in the certificate, with all that others have signed.
pub const ATTESTATION_EPOCH: &str = "/v1/attestation/epoch";
/// The keys that requests through relays are for.
pub const OHTTP_KEYS: &str = "/v1/ohttp-keys";
/// Where relays bring requests (RFC 9458).
pub const OHTTP: &str = "/v1/ohttp";
/// Whether there is an answer to be had.
pub const HEALTH: &str = "/health";
/// The query parameter of [`ATTESTATION`]: [`NONCE_LENGTH`] bytes in hexadecimal.
pub const NONCE: &str = "nonce";
/// Bytes of a relying party's nonce.
pub const NONCE_LENGTH: usize = 32;
/// The query parameter of [`ATTESTATION`] that names what the client has of earlier bundles: up to [`MAX_HAVE`] SHA-256 digests in
/// hexadecimal, with commas between, or the parameter several times.
pub const HAVE: &str = "have";
/// The most digests in [`HAVE`].
pub const MAX_HAVE: usize = 16;
/// The media type of evidence, RFC 9999.
pub const EVIDENCE_TYPE: &str = "application/cmw+cbor";
/// The most bytes of a request's body.
pub const MAX_BODY: usize = 1024 * 1024;
/// The most bytes of a body with a recording in it, as at OpenAI.
pub const MAX_RECORDING: usize = 25 * 1024 * 1024;
/// The most bytes of a request's line and headers together.
pub const MAX_HEAD: usize = 16 * 1024;
/// The most headers of a request.
pub const MAX_HEADERS: usize = 64;
/// The code of an error: too many ask for evidence at the moment.
pub const ATTESTATION_BUSY: &str = "attestation_busy";
/// The code of an error: the enclave could not prove again what it is, and ends.
pub const TRUST_ENDED: &str = "trust_ended";
/// The code of an error: the enclave finishes what it does and takes nothing new.
pub const DRAINING: &str = "draining";
/// After this long without a request the enclave closes a connection.
pub const IDLE: Duration = Duration::from_secs(300);
/// After this long without a request a client no longer uses a connection. The rest, up to [`IDLE`], is for a request
/// on its way.
pub const RETIRED: Duration = Duration::from_secs(240);

const _: () = assert!(RETIRED.as_secs() < IDLE.as_secs());

/// The most bytes of a body for this path. Slashes too many change nothing.
pub fn max_body(path: &str) -> usize {
    if is_at(path, TRANSCRIPTIONS) {
        MAX_RECORDING
    } else {
        MAX_BODY
    }
}

/// Whether what is posted to this path may name a job, and is then answered with a receipt.
pub fn is_job(path: &str) -> bool {
    const JOBS: [&str; 7] = [
        CHAT,
        COMPLETIONS,
        RESPONSES,
        MESSAGES,
        EMBEDDINGS,
        RERANK,
        TRANSCRIPTIONS,
    ];
    JOBS.into_iter().any(|job| is_at(path, job))
}

/// Whether a path is this one, but for slashes too many.
fn is_at(path: &str, known: &str) -> bool {
    let segments = |path| str::split(path, '/').filter(|it: &&str| !it.is_empty());
    segments(path).eq(segments(known))
}

/// Whether a head is within [`MAX_HEAD`] and [`MAX_HEADERS`]: its method and target as they stand, and each header's name
/// and value.
pub fn head_fits<'a>(
    method: &str,
    target: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> bool {
    let line = method.len().saturating_add(target.len());
    let line = line.saturating_add("  HTTP/1.1\r\n\r\n".len());
    let (count, bytes) =
        headers
            .into_iter()
            .fold((0_usize, line), |(count, bytes), (name, value)| {
                let header = name.len().saturating_add(value.len());
                let header = header.saturating_add(": \r\n".len());
                (count.saturating_add(1), bytes.saturating_add(header))
            });
    count <= MAX_HEADERS && bytes <= MAX_HEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_may_be_longer_than_other_bodies() {
        assert_eq!(max_body("/v1/audio/transcriptions"), MAX_RECORDING);
        assert_eq!(max_body("//v1/audio/transcriptions/"), MAX_RECORDING);
        for path in [CHAT, "/v1/audio", "/v1/audio/transcriptions/x", "/"] {
            assert_eq!(max_body(path), MAX_BODY, "{path}");
        }
    }

    #[test]
    fn what_asks_a_model_is_a_job() {
        for path in [CHAT, "//v1/messages/", EMBEDDINGS, TRANSCRIPTIONS] {
            assert!(is_job(path), "{path}");
        }
        for path in [MODELS, ATTESTATION, TAB, HEALTH, "/v1/chat", "/"] {
            assert!(!is_job(path), "{path}");
        }
    }

    #[test]
    fn a_head_fits_up_to_the_last_byte_and_header() {
        let rest = "GET /v1/models HTTP/1.1\r\nx: \r\n\r\n".len();
        let longest = vec![b'a'; MAX_HEAD - rest];
        let fits = |value: &[u8]| head_fits("GET", "/v1/models", [("x", value)]);
        assert!(fits(&longest));
        assert!(!fits(&[longest.as_slice(), b"a"].concat()));
        let many = |count| head_fits("GET", "/", std::iter::repeat_n(("x", &b"y"[..]), count));
        assert!(many(MAX_HEADERS) && !many(MAX_HEADERS + 1));
    }
}
