//! What a RIM says: which product and version it is for, and which values its measurements may have.
//!
//! Reads only what the signature covers, by direct path from the root; an element deeper down or inside the signature is
//! never looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::xml::Element;
use crate::{
    Rejection,
    nvidia::spdm::{MAX_MEASUREMENTS, MEASUREMENT_SIZE},
};

/// ISO 19770-2:2015
const SWID: &str = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
const HASH: &str = "http://www.w3.org/2001/04/xmlenc#sha384";
const TCG: &str = "https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/";
/// NVIDIA's number among manufacturers.
const NVIDIA: &str = "5703";
/// NVIDIA's RIMs have at most four values for an index.
const MAX_ALTERNATIVES: usize = 64;

/// The values that a measurement may have.
pub(crate) type Golden = BTreeMap<u8, Vec<[u8; MEASUREMENT_SIZE]>>;

/// What a RIM says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// Of the driver or of the VBIOS.
    pub(crate) version: String,
    /// The chip, such as `GH100`.
    pub(crate) product: String,
    /// `GPU` or `SWITCH`.
    pub(crate) edition: String,
    /// The indices that are to be compared; at least one.
    pub(crate) golden: Golden,
}

impl Content {
    pub(super) fn read(root: &Element<'_>) -> Result<Self, Rejection> {
        if !root.is(SWID, "SoftwareIdentity") {
            return Err(refuse("it is no SWID tag"));
        }
        let elements = root.elements().unwrap_or_default();
        let [entity, meta, payload] = elements[..] else {
            return Err(refuse("it is not Entity, Meta and Payload"));
        };
        if !(entity.is(SWID, "Entity") && meta.is(SWID, "Meta") && payload.is(SWID, "Payload")) {
            return Err(refuse("it is not Entity, Meta and Payload"));
        }
        if meta.attribute_in(TCG, "FirmwareManufacturerId") != Some(NVIDIA) {
            return Err(refuse("its firmware is not NVIDIA's"));
        }
        let attribute = |name| {
            meta.attribute(name)
                .map(str::to_owned)
                .ok_or_else(|| refuse("it lacks its version or product"))
        };
        Ok(Self {
            version: attribute("colloquialVersion")?,
            product: attribute("product")?,
            edition: attribute("edition")?,
            golden: golden(payload)?,
        })
    }

    /// What a document claims about itself, for choosing among several. Verify it before relying on it.
    pub(super) fn claimed<'a>(root: &Element<'a>, attribute: &str) -> Option<&'a str> {
        let meta = root
            .elements()?
            .into_iter()
            .find(|it| it.is(SWID, "Meta"))?;
        meta.attribute(attribute)
    }
}

fn golden(payload: &Element<'_>) -> Result<Golden, Rejection> {
    let mut seen = BTreeSet::new();
    let mut golden = Golden::new();
    for resource in payload
        .elements()
        .ok_or_else(|| refuse("its payload has text"))?
    {
        let is_measurement = resource.is(SWID, "Resource")
            && resource.children.is_empty()
            && resource.attribute("type") == Some("Measurement");
        if !is_measurement {
            return Err(refuse("its payload has something other than measurements"));
        }
        let index = number(resource, "index")
            .and_then(|it| u8::try_from(it).ok())
            .filter(|it| *it < MAX_MEASUREMENTS);
        let index = index.ok_or_else(|| refuse("an index is not from 0 to 63"))?;
        if !seen.insert(index) {
            return Err(Rejection::RimDuplicateIndex { index });
        }
        let values = values(resource)?;
        match resource.attribute("active") {
            Some("True") => golden.insert(index, values),
            Some("False") => None,
            // NVIDIA's two verifiers disagree on any other text.
            _ => return Err(refuse("a measurement is neither active nor inactive")),
        };
    }
    if golden.is_empty() {
        Err(refuse("no measurement is active"))
    } else {
        Ok(golden)
    }
}

fn values(resource: &Element<'_>) -> Result<Vec<[u8; MEASUREMENT_SIZE]>, Rejection> {
    let count = number(resource, "alternatives").filter(|it| (1..=MAX_ALTERNATIVES).contains(it));
    let count = count.ok_or_else(|| refuse("a measurement has no number of alternatives"))?;
    let hashes = resource
        .attributes
        .iter()
        .filter(|it| it.name.namespace == Some(HASH))
        .count();
    if hashes != count || number(resource, "size") != Some(MEASUREMENT_SIZE) {
        return Err(refuse(
            "a measurement has more, fewer or other values than it says",
        ));
    }
    let value = |k: usize| {
        let mut value = [0; MEASUREMENT_SIZE];
        let text = resource.attribute_in(HASH, &format!("Hash{k}"))?;
        hex::decode_to_slice(text, &mut value).ok().map(|()| value)
    };
    (0..count)
        .map(|k| value(k).ok_or_else(|| refuse("a value is not 48 bytes in hex")))
        .collect()
}

/// A decimal number as a program writes it: no sign, no leading zero.
fn number(resource: &Element<'_>, name: &str) -> Option<usize> {
    let text = resource.attribute(name)?;
    text.parse()
        .ok()
        .filter(|number: &usize| number.to_string() == text)
}

fn refuse(what: &'static str) -> Rejection {
    Rejection::RimContent { what }
}
