//! Deterministic CBOR (RFC 8949 §4.2.1): one value, one encoding, so that a hash over bytes is a hash over a value.

use std::{collections::BTreeMap, io};

pub use serde_cbor::Value;

/// Encodes. Maps are `BTreeMap`s whose order is the deterministic one; lengths are definite, numbers shortest.
pub fn encode(value: &Value) -> Vec<u8> {
    serde_cbor::to_vec(value).expect("a value in memory always encodes")
}

/// Decodes the one encoding of a value: anything else, such as a duplicate key or an overlong number, is `None`.
pub fn decode(bytes: &[u8]) -> Option<Value> {
    let value: Value = serde_cbor::from_slice(bytes).ok()?;
    encodes_to(&value, bytes).then_some(value)
}

/// Whether these bytes are the value's encoding, which is compared as it is written: bundles are large, and are verified often.
fn encodes_to(value: &Value, bytes: &[u8]) -> bool {
    let mut rest = Rest(bytes);
    serde_cbor::to_writer(&mut rest, value).is_ok() && rest.0.is_empty()
}

/// What has not been written yet, of bytes that are known; no others can be written.
struct Rest<'a>(&'a [u8]);

impl io::Write for Rest<'_> {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        let rest = self.0.strip_prefix(written);
        self.0 = rest.ok_or(io::ErrorKind::InvalidData)?;
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A map from names.
pub fn map<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Map(
        fields
            .into_iter()
            .map(|(name, value)| (Value::Text(name.to_owned()), value))
            .collect(),
    )
}

/// An array of byte strings.
pub fn byte_strings(items: &[Vec<u8>]) -> Value {
    Value::Array(items.iter().cloned().map(Value::Bytes).collect())
}

/// The elements, if it is an array.
pub fn array(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(values) => Some(values),
        _ => None,
    }
}

/// The bytes, if it is a byte string.
pub fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// The fields of a map with names; each is taken once, and none may be left.
#[derive(Debug)]
pub struct Fields(BTreeMap<Value, Value>);

impl Fields {
    /// The fields of a map.
    pub fn of(value: Value) -> Option<Self> {
        match value {
            Value::Map(fields) => Some(Self(fields)),
            _ => None,
        }
    }

    /// Whether there is a field with this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(&Value::Text(name.to_owned()))
    }

    /// Takes a field out.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(&Value::Text(name.to_owned()))
    }

    /// Takes a text out.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes a byte string of this length out.
    pub fn bytes<const N: usize>(&mut self, name: &str) -> Option<[u8; N]> {
        match self.take(name)? {
            Value::Bytes(bytes) => bytes.try_into().ok(),
            _ => None,
        }
    }

    /// Takes a number out.
    pub fn number<T: TryFrom<i128>>(&mut self, name: &str) -> Option<T> {
        match self.take(name)? {
            Value::Integer(number) => number.try_into().ok(),
            _ => None,
        }
    }

    /// Takes a boolean out.
    pub fn bool(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The name of a field that was not taken.
    pub fn left_over(&self) -> Option<String> {
        self.0.keys().next().map(|key| match key {
            Value::Text(name) => name.clone(),
            other => format!("{other:?}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_encoding() {
        assert_eq!(decode(&[0x18, 0x18]), Some(Value::Integer(24)));
        assert_eq!(decode(&[0x18, 0x17]), None, "a longer number than needed");
        assert_eq!(
            decode(&[0x5F, 0x41, 0x00, 0xFF]),
            None,
            "an indefinite length"
        );
        assert_eq!(
            decode(&[0xA2, 0x61, b'a', 0x01, 0x61, b'a', 0x01]),
            None,
            "a key twice"
        );
        assert_eq!(
            decode(&[0xA2, 0x61, b'b', 0x01, 0x61, b'a', 0x01]),
            None,
            "keys out of order"
        );
        assert_eq!(decode(&[0x01, 0x01]), None, "something behind it");
    }

    #[test]
    fn a_length_that_lies_costs_nothing() {
        assert_eq!(
            decode(&[0x9B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
            None
        );
        assert_eq!(
            decode(&[0x5B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
            None
        );
        assert_eq!(decode(&vec![0x81; 100_000]), None);
    }
}
