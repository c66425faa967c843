//! A CMW collection: a map of items in deterministic CBOR, and what kind of collection it is.

use std::collections::BTreeMap;

use serde_cbor::Value;

use super::{MAX_BUNDLE, items::Item};
use crate::{
    Rejection,
    encoding::cbor::{self, Fields},
};

/// Where a collection says of which kind and version it is.
pub(super) const KIND: &str = "__cmwc_t";
/// A bundle that answers one question.
pub(super) const ALONE: &str = "tag:chrysalis,2026:evidence/1";
/// A bundle whose report answers more than one: it has a path.
pub(super) const SHARED: &str = "tag:chrysalis,2026:evidence/2";
/// A bundle without its rest.
pub(super) const SHORT: &str = "tag:chrysalis,2026:evidence-short/1";

/// The entry of an item in a collection's map.
pub(super) fn entry((item, content): (Item, Vec<u8>)) -> (Value, Value) {
    let record = [
        Value::Text(item.media_type()),
        Value::Bytes(content),
        Value::Integer(item.2 as i128),
    ];
    (Value::Text(item.0.to_owned()), Value::Array(record.into()))
}

/// The entries of these items, in order. An item without content is left out.
pub(super) fn entries(items: impl IntoIterator<Item = (Item, Vec<u8>)>) -> BTreeMap<Value, Value> {
    let there = items.into_iter().filter(|(_, content)| !content.is_empty());
    there.map(entry).collect()
}

/// The map of a collection of this kind.
pub(super) fn collection(
    kind: &str,
    items: impl IntoIterator<Item = (Item, Vec<u8>)>,
) -> BTreeMap<Value, Value> {
    let mut map = entries(items);
    let kind = Value::Text(kind.to_owned());
    map.insert(Value::Text(KIND.to_owned()), kind);
    map
}

/// The fields of a collection of any kind.
pub(super) fn read(bytes: &[u8]) -> Result<Fields, Rejection> {
    if bytes.len() > MAX_BUNDLE {
        return Err(Rejection::BundleTooLarge { found: bytes.len() });
    }
    let malformed = |what| Rejection::BundleMalformed { what };
    let value = cbor::decode(bytes).ok_or(malformed("not deterministic CBOR"))?;
    Fields::of(value).ok_or(malformed("not a map"))
}
