//! The content of a RIM: which product and version it is for, and which values its measurements may have.
//!
//! Reads only what the signature covers, by direct path from the root; an element deeper down or inside the signature is
//! ignored.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use super::xml::Element;
use crate::{
    Rejection,
    nvidia::spdm::{MAX_MEASUREMENTS, MEASUREMENT_SIZE},
};

/// ISO 19770-2:2015
const SWID: &str = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
const HASH: &str = "http://www.w3.org/2001/04/xmlenc#sha384";
/// Values that are compared as numbers: NVIDIA's specification "Opaque Data RIM Attributes".
const NUMERIC: &str = "https://docs.nvidia.com/attestation/specs/latest/opaque-data.html";
/// Indices from here on are types of opaque data, counted from zero.
pub(crate) const OPAQUE_INDICES: usize = 0x1000;
/// NVIDIA's specification defines one.
const MAX_FLOORS: usize = 64;
const MAX_NAME_SIZE: usize = 64;
const TCG: &str = "https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/";
/// NVIDIA's manufacturer number.
const NVIDIA: &str = "5703";
/// NVIDIA's RIMs have at most four values for an index.
const MAX_ALTERNATIVES: usize = 64;

/// The values that a measurement may have.
pub(crate) type Golden = BTreeMap<u8, Vec<[u8; MEASUREMENT_SIZE]>>;

/// The minimum levels in a report's opaque data, by type.
pub(crate) type Floors = BTreeMap<u16, Floor>;

/// One minimum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Floor {
    /// NVIDIA's name for it, such as `FSP_UCODE_MIN_SVN`.
    pub(crate) name: String,
    pub(crate) minimum: u64,
}

/// The content of a RIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// The version of the driver or of the VBIOS.
    pub(crate) version: String,
    /// The chip, such as `GH100`.
    pub(crate) product: String,
    /// `GPU` or `SWITCH`.
    pub(crate) edition: String,
    /// The indices to compare; at least one.
    pub(crate) golden: Golden,
    /// The levels to compare as numbers.
    pub(crate) floors: Floors,
}

impl Content {
    pub(super) fn read(root: &Element<'_>) -> Result<Self, Rejection> {
        if !root.is(SWID, "SoftwareIdentity") {
            return Err(refuse("it is not a SWID tag"));
        }
        let elements = root.elements().unwrap_or_default();
        let [entity, meta, payload] = elements[..] else {
            return Err(refuse("it does not consist of Entity, Meta and Payload"));
        };
        if !(entity.is(SWID, "Entity") && meta.is(SWID, "Meta") && payload.is(SWID, "Payload")) {
            return Err(refuse("it does not consist of Entity, Meta and Payload"));
        }
        if meta.attribute_in(TCG, "FirmwareManufacturerId") != Some(NVIDIA) {
            return Err(refuse("its firmware is not NVIDIA's"));
        }
        let attribute = |name| {
            meta.attribute(name)
                .map(str::to_owned)
                .ok_or_else(|| refuse("its version or product is missing"))
        };
        let (golden, floors) = values_of(payload)?;
        Ok(Self {
            version: attribute("colloquialVersion")?,
            product: attribute("product")?,
            edition: attribute("edition")?,
            golden,
            floors,
        })
    }

    /// What a document claims about itself, used to choose among several. Verify it before relying on it.
    pub(super) fn claimed<'a>(root: &Element<'a>, attribute: &str) -> Option<&'a str> {
        let meta = root
            .elements()?
            .into_iter()
            .find(|it| it.is(SWID, "Meta"))?;
        meta.attribute(attribute)
    }
}

/// Hashes, at the indices of measurements, and floors, at those of opaque data.
fn values_of(payload: &Element<'_>) -> Result<(Golden, Floors), Rejection> {
    let mut seen = BTreeSet::new();
    let (mut golden, mut floors) = (Golden::new(), Floors::new());
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
        let index = number(resource, "index").ok_or_else(unknown_index)?;
        let place = place(index)?;
        if !seen.insert(place) {
            return Err(Rejection::RimDuplicateIndex { index });
        }
        let is_active = match resource.attribute("active") {
            Some("True") => true,
            Some("False") => false,
            // NVIDIA's two verifiers disagree about any other text.
            _ => return Err(refuse("a measurement is neither active nor inactive")),
        };
        match place {
            Place::Measurement(index) => {
                let values = values(resource)?;
                if is_active {
                    golden.insert(index, values);
                }
            }
            Place::Opaque(kind) => {
                let floor = floor(resource)?;
                if is_active {
                    floors.insert(kind, floor);
                }
            }
        }
    }
    match (golden.is_empty(), floors.len()) {
        (true, _) => Err(refuse("no measurement is active")),
        (_, 0..=MAX_FLOORS) => Ok((golden, floors)),
        _ => Err(refuse("it has too many numeric values")),
    }
}

/// What a value is to be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A measurement, by index.
    Measurement(u8),
    /// An entry of the opaque data, by type.
    Opaque(u16),
}

fn place(index: usize) -> Result<Place, Rejection> {
    let measurement = u8::try_from(index).ok().filter(|it| *it < MAX_MEASUREMENTS);
    let opaque = index.checked_sub(OPAQUE_INDICES);
    let opaque = opaque.and_then(|kind| u16::try_from(kind).ok());
    let place = measurement.map(Place::Measurement);
    place
        .or(opaque.map(Place::Opaque))
        .ok_or_else(unknown_index)
}

fn unknown_index() -> Rejection {
    refuse("an index is neither from 0 to 63 nor of opaque data, from 4096 on")
}

/// A floor is a number and a name. Anything else that the namespace may hold one day would need a different comparison.
fn floor(resource: &Element<'_>) -> Result<Floor, Rejection> {
    let namespaced = resource
        .attributes
        .iter()
        .filter_map(|it| it.name.namespace.zip(Some(it.name.local)));
    for name in namespaced {
        if !matches!(name, (NUMERIC, "minSvn" | "includeInResult")) {
            return Err(refuse(
                "a numeric value is of a kind that this verifier does not know",
            ));
        }
    }
    let included = resource.attribute_in(NUMERIC, "includeInResult");
    if !matches!(included, None | Some("True" | "False")) {
        return Err(refuse(
            "a numeric value is neither in the result nor out of it",
        ));
    }
    let minimum = resource.attribute_in(NUMERIC, "minSvn").and_then(decimal);
    let name = resource
        .attribute("name")
        .filter(|it| (1..=MAX_NAME_SIZE).contains(&it.len()));
    match (minimum, name) {
        (Some(minimum), Some(name)) => Ok(Floor {
            name: name.to_owned(),
            minimum,
        }),
        _ => Err(refuse(
            "a numeric value has no name or no minimum level (minSvn)",
        )),
    }
}

fn values(resource: &Element<'_>) -> Result<Vec<[u8; MEASUREMENT_SIZE]>, Rejection> {
    let count = number(resource, "alternatives").filter(|it| (1..=MAX_ALTERNATIVES).contains(it));
    let count = count.ok_or_else(|| refuse("a measurement has no number of alternatives"))?;
    let of = |namespace| {
        let attributes = resource.attributes.iter();
        attributes
            .filter(|it| it.name.namespace == Some(namespace))
            .count()
    };
    if of(NUMERIC) != 0 {
        return Err(refuse("a measurement has a numeric value"));
    }
    let hashes = of(HASH);
    if hashes != count || number(resource, "size") != Some(MEASUREMENT_SIZE) {
        return Err(refuse(
            "a measurement does not have exactly the values that it declares",
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

fn number(resource: &Element<'_>, name: &str) -> Option<usize> {
    decimal(resource.attribute(name)?)
}

/// A decimal number in canonical form: no sign, no leading zero.
fn decimal<N: FromStr + ToString>(text: &str) -> Option<N> {
    text.parse()
        .ok()
        .filter(|number: &N| number.to_string() == text)
}

fn refuse(what: &'static str) -> Rejection {
    Rejection::RimContent { what }
}
