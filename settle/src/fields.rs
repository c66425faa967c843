//! What several messages hold: for this crate's, and for those that are built on them.

use chrysalis_attestation::encoding::cbor::{self, Fields, Value};

/// A number.
pub fn number(number: u64) -> Value {
    Value::Integer(number.into())
}

/// One number for each class of units.
pub fn classes(numbers: &[u64; 4]) -> Value {
    Value::Array(numbers.map(number).into())
}

/// Reads [`classes`].
pub fn take_classes(fields: &mut Fields, name: &str) -> Option<[u64; 4]> {
    let number = |value| match value {
        Value::Integer(number) => number.try_into().ok(),
        _ => None,
    };
    let numbers = cbor::array(fields.take(name)?)?;
    let numbers: Option<Vec<u64>> = numbers.into_iter().map(number).collect();
    numbers?.try_into().ok()
}

/// The fields of a message: the one encoding of a map, of at most so many bytes.
pub fn of(bytes: &[u8], most: usize) -> Result<Fields, &'static str> {
    if bytes.len() > most {
        return Err("it is too long");
    }
    let value = cbor::decode(bytes).ok_or("not deterministic")?;
    Fields::of(value).ok_or("not a map")
}

/// Reads a whole message of this version: `read` takes all of its fields out.
pub fn whole<T>(
    bytes: &[u8],
    most: usize,
    version: u64,
    read: impl FnOnce(&mut Fields) -> Option<T>,
) -> Result<T, &'static str> {
    let mut fields = of(bytes, most)?;
    if fields.number("version") != Some(version) {
        return Err("another version");
    }
    let read = read(&mut fields).ok_or("a field is missing or of the wrong type")?;
    match fields.left_over() {
        Some(_) => Err("an unknown field"),
        None => Ok(read),
    }
}

/// `{name: bytes, signature: bytes 64}`.
pub fn signed(name: &str, message: &[u8], signature: &[u8; 64]) -> Vec<u8> {
    cbor::encode(&cbor::map([
        (name, Value::Bytes(message.to_vec())),
        ("signature", Value::Bytes(signature.to_vec())),
    ]))
}

/// Reads [`signed`]. Nothing is verified; `missing` says that there is no message.
pub fn read_signed(
    bytes: &[u8],
    most: usize,
    (name, missing): (&str, &'static str),
) -> Result<(Vec<u8>, [u8; 64]), &'static str> {
    let mut fields = of(bytes, most)?;
    let message = fields.take(name).and_then(cbor::bytes).ok_or(missing)?;
    let signature = fields
        .bytes("signature")
        .ok_or("no signature of 64 bytes")?;
    match fields.left_over() {
        Some(_) => Err("an unknown field"),
        None => Ok((message, signature)),
    }
}
