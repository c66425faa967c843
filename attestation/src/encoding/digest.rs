//! The hashes of this library.

use data_encoding::HEXLOWER;

use crate::crypto;

/// Bytes of a SHA-384.
pub const HASH_384: usize = 48;
/// A SHA-384.
pub type Hash384 = [u8; HASH_384];

/// SHA-256 of the parts, one after the other.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    crypto::sha256(parts)
}

/// SHA-384 of the parts, one after the other.
pub fn sha384(parts: &[&[u8]]) -> [u8; 48] {
    crypto::sha384(parts)
}

/// SHA-512 of the parts, one after the other.
pub fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    crypto::sha512(parts)
}

/// Bytes that people read as lower-case hex: digests and identities inside verdicts and rejections.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> std::fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl<const N: usize> std::fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> serde::Serialize for Hex<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Exactly `2 * N` lower-case digits, so that each value has only one text.
impl<'de, const N: usize> serde::Deserialize<'de> for Hex<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; N];
        match hex::decode_to_slice(text.as_bytes(), &mut bytes) {
            Ok(()) if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => Ok(Self(bytes)),
            _ => Err(serde::de::Error::custom(format_args!(
                "a value is not {N} bytes in lower-case hex"
            ))),
        }
    }
}
