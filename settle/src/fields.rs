//! What several messages hold.

use chrysalis_attestation::encoding::cbor::{self, Fields, Value};

pub(crate) fn number(number: u64) -> Value {
    Value::Integer(number.into())
}

/// One number for each class of units.
pub(crate) fn classes(numbers: &[u64; 4]) -> Value {
    Value::Array(numbers.map(number).into())
}

/// Reads [`classes`].
pub(crate) fn take_classes(fields: &mut Fields, name: &str) -> Option<[u64; 4]> {
    let number = |value| match value {
        Value::Integer(number) => number.try_into().ok(),
        _ => None,
    };
    let numbers = cbor::array(fields.take(name)?)?;
    let numbers: Option<Vec<u64>> = numbers.into_iter().map(number).collect();
    numbers?.try_into().ok()
}
