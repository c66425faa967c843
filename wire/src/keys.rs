//! What an enclave and a key server say to each other, in [frames](crate::frame) over TLS 1.3 (docs/spec/keys.md). The enclave is the client
//! and the one that proves what it is; the server shows the certificate that the measured configuration pins.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::configuration::MAX_DISKS;
pub use crate::configuration::{MAX_SECRET, MAX_SECRETS};

/// The application protocol of a connection on which keys of disks alone are asked for.
pub const ALPN: &[u8] = b"chrysalis-keys/1";
/// That of a connection on which secrets are asked for. A server that knows none of them refuses the handshake.
pub const ALPN_SECRETS: &[u8] = b"chrysalis-keys/2";
/// Bytes of a disk's key: two keys of AES-256, for XTS.
pub const KEY: usize = 64;
/// The most keys that one request asks for.
pub const MAX_WANTED: usize = MAX_DISKS;

/// Bytes that are overwritten with zeros when they are dropped.
pub type Wiped = Zeroizing<Vec<u8>>;

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
    /// The roots of the disks whose keys it wants, in hexadecimal: at most [`MAX_WANTED`].
    pub wanted: Vec<String>,
    /// The secrets that it wants, with [`ALPN_SECRETS`] alone: at most [`MAX_SECRETS`]. Of keys and secrets there is at least one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<WantedSecret>,
}

/// A secret of one model's engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedSecret {
    /// The model's name, as the claims have it.
    pub model: String,
    /// The secret's, as the configuration has it.
    pub name: String,
}

/// The server's last word.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Answer {
    /// The keys, in the order of the request, each of [`KEY`] bytes. To a request without secrets.
    Keys(Vec<Wiped>),
    /// The same, with the secrets, in the order of the request, each of 1 to [`MAX_SECRET`] bytes. To a request with secrets.
    Given {
        /// The keys.
        keys: Vec<Wiped>,
        /// The secrets.
        secrets: Vec<Wiped>,
    },
    /// None of them.
    Refused {
        /// A code that stays the same, such as `launch_digest_unknown`.
        code: String,
        /// Why, for people.
        why: String,
    },
}

/// Neither keys nor secrets are shown.
impl std::fmt::Debug for Answer {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keys(keys) => write!(to, "Keys({} of them)", keys.len()),
            Self::Given { keys, secrets } => {
                write!(to, "Given({} keys, {} secrets)", keys.len(), secrets.len())
            }
            Self::Refused { code, why } => write!(to, "Refused({code}: {why})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{MAX_FRAME, decode, encode};

    fn request(secrets: Vec<WantedSecret>) -> Request {
        Request {
            spki: vec![1],
            bundle: vec![2, 255],
            wanted: vec!["ab".into()],
            secrets,
        }
    }

    fn licence() -> WantedSecret {
        WantedSecret {
            model: "m".into(),
            name: "licence".into(),
        }
    }

    #[test]
    fn what_is_said_survives_the_trip_and_keys_are_not_shown() {
        let key = || Zeroizing::new(vec![7; KEY]);
        for request in [request(vec![]), request(vec![licence()])] {
            let frame = encode(&request).unwrap();
            assert_eq!(decode::<Request>(&frame[4..]).unwrap(), request);
        }
        let given = Answer::Given {
            keys: vec![key()],
            secrets: vec![Zeroizing::new(b"word".to_vec())],
        };
        for (answer, shown) in [
            (Answer::Keys(vec![key()]), "Keys(1 of them)"),
            (given, "Given(1 keys, 1 secrets)"),
        ] {
            let frame = encode(&answer).unwrap();
            assert_eq!(decode::<Answer>(&frame[4..]).unwrap(), answer);
            assert_eq!(format!("{answer:?}"), shown);
            assert!(decode::<Challenge>(&frame[4..]).is_err());
        }
    }

    /// As docs/spec/keys.md has them: the bytes of a frame, its length included.
    #[test]
    fn frames_are_those_of_the_specification() {
        let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/spec/keys.md");
        let spec = std::fs::read_to_string(spec).unwrap();
        let given = Answer::Given {
            keys: vec![],
            secrets: vec![Zeroizing::new(b"word".to_vec())],
        };
        for (what, frame) in [
            ("without secrets", encode(&request(vec![])).unwrap()),
            ("with one", encode(&request(vec![licence()])).unwrap()),
            ("its answer", encode(&given).unwrap()),
        ] {
            assert!(
                spec.contains(&hex::encode(&frame)),
                "{what}: {}",
                hex::encode(&frame)
            );
        }
    }

    #[test]
    fn the_largest_answer_fits_in_a_frame() {
        let largest = Answer::Given {
            keys: vec![vec![255; KEY].into(); MAX_WANTED],
            secrets: vec![vec![255; MAX_SECRET].into(); MAX_SECRETS],
        };
        assert!(encode(&largest).unwrap().len() < MAX_FRAME);
    }
}
