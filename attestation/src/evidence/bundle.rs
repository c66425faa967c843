//! The whole bundle as bytes, and back.

use serde_cbor::Value;

use super::{
    Evidence,
    collection::{ALONE, KIND, SHARED, SHORT, collection, read},
    gpus::{self, encode_gpus},
    items::{
        CLAIMS, Contents, EVENT_LOG, GPUS, nothing_left, of_cpu, of_endorsements, of_path,
        optional, refused, required, take_cpu, take_endorsements, take_path,
    },
};
use crate::{
    Rejection,
    encoding::cbor::{self, Fields},
};

impl Evidence {
    /// Encodes the bundle.
    pub fn encode(&self) -> Vec<u8> {
        let kind = self.path.as_ref().map_or(ALONE, |_| SHARED);
        let items = contents(self).into_iter();
        let items = items.chain([of_path(self.path.as_ref())]);
        cbor::encode(&Value::Map(collection(kind, items)))
    }

    /// Decodes a bundle; anything other than the one deterministic encoding is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        unwrap(read(bytes)?)
    }
}

/// Every item but the path.
pub(super) fn contents(evidence: &Evidence) -> Contents {
    let mut items = vec![
        (CLAIMS, evidence.claims.clone()),
        (GPUS, encode_gpus(&evidence.gpus)),
    ];
    items.extend(of_cpu(&evidence.cpu));
    items.extend(of_endorsements(&evidence.endorsements));
    items
}

/// The evidence in a collection. Every item must be known.
fn unwrap(mut fields: Fields) -> Result<Evidence, Rejection> {
    let path = match fields.text(KIND).as_deref() {
        Some(ALONE) => None,
        Some(SHARED) => Some(take_path(&mut fields)?),
        Some(SHORT) => return Err(Rejection::BundleShort),
        _ => return Err(refused(KIND)),
    };
    let cpu = take_cpu(&mut fields, |fields| optional(fields, EVENT_LOG))?;
    let gpus = required(&mut fields, GPUS)?;
    let evidence = Evidence {
        cpu,
        claims: required(&mut fields, CLAIMS)?,
        gpus: gpus::decode(&gpus).ok_or_else(|| refused(GPUS.0))?,
        path,
        endorsements: take_endorsements(&mut fields)?,
    };
    nothing_left(&fields, evidence)
}
