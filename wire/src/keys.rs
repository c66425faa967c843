//! What an enclave and a key server say to each other, in [frames](crate::frame) over TLS 1.3 (docs/spec/keys.md). The enclave is the client
//! and the one that proves what it is; the server shows the certificate that the measured configuration pins.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::configuration::MAX_DISKS;

/// The application protocol of the connection.
pub const ALPN: &[u8] = b"chrysalis-keys/1";
/// Bytes of a disk's key: two keys of AES-256, for XTS.
pub const KEY: usize = 64;
/// The most keys that one request asks for.
pub const MAX_WANTED: usize = MAX_DISKS;

/// The server's first word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// 32 bytes that nobody could foresee.
    pub nonce: [u8; 32],
}

/// The enclave's answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// DER `SubjectPublicKeyInfo` of the key that ends TLS for the enclave's own clients, which the evidence names.
    pub spki: Vec<u8>,
    /// Evidence about the challenge and this connection.
    pub bundle: Vec<u8>,
    /// The roots of the disks whose keys it wants, in hexadecimal: 1 to [`MAX_WANTED`].
    pub wanted: Vec<String>,
}

/// The server's last word.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Answer {
    /// The keys, in the order of the request, each of [`KEY`] bytes.
    Keys(Vec<Zeroizing<Vec<u8>>>),
    /// None of them.
    Refused {
        /// A code that stays the same, such as `measurement_unlisted`.
        code: String,
        /// Why, for people.
        why: String,
    },
}

/// Keys are not shown.
impl std::fmt::Debug for Answer {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keys(keys) => write!(to, "Keys({} of them)", keys.len()),
            Self::Refused { code, why } => write!(to, "Refused({code}: {why})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{decode, encode};

    #[test]
    fn what_is_said_survives_the_trip_and_keys_are_not_shown() {
        let request = Request {
            spki: vec![1],
            bundle: vec![2, 3],
            wanted: vec!["ab".into()],
        };
        let frame = encode(&request).unwrap();
        assert_eq!(decode::<Request>(&frame[4..]).unwrap(), request);
        let answer = Answer::Keys(vec![Zeroizing::new(vec![7; KEY])]);
        let frame = encode(&answer).unwrap();
        assert_eq!(decode::<Answer>(&frame[4..]).unwrap(), answer);
        assert_eq!(format!("{answer:?}"), "Keys(1 of them)");
        assert!(decode::<Challenge>(&encode(&answer).unwrap()[4..]).is_err());
    }
}
