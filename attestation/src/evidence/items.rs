//! The items of the collection: each has one name, media type and indicator, and one rule for when it is present.
//!
//! `cpu`, `claims` and `gpus` are always present. Any other item is present if and only if it is not empty: an empty one is refused.

use serde_cbor::Value;

use super::{
    CpuReport, Endorsements, Evidence, MAX_BUNDLE, MAX_CERTIFICATES, MAX_CRLS,
    gpus::{self, encode_gpus},
};
use crate::{
    Rejection,
    encoding::cbor::{self, Fields},
    nvidia::{
        MAX_RIMS,
        ocsp::{MAX_ANSWERS, OcspAnswer},
    },
    release::MAX_STATEMENTS,
};

impl Evidence {
    /// Encodes the bundle.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&wrap(self))
    }

    /// Decodes a bundle; anything other than the one deterministic encoding is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        if bytes.len() > MAX_BUNDLE {
            return Err(Rejection::BundleTooLarge { found: bytes.len() });
        }
        let malformed = |what| Rejection::BundleMalformed { what };
        let value = cbor::decode(bytes).ok_or(malformed("not deterministic CBOR"))?;
        unwrap(Fields::of(value).ok_or(malformed("not a map"))?)
    }
}

/// Identifies the kind of collection and its version: `__cmwc_t`.
const COLLECTION: (&str, &str) = ("__cmwc_t", "tag:chrysalis,2026:evidence/1");

/// The kind of content that a CMW's indicator declares: RFC 9999, the bits of `cm-type`.
#[derive(Clone, Copy)]
enum Indicator {
    ReferenceValues = 1 << 0,
    Endorsements = 1 << 1,
    Evidence = 1 << 2,
}

/// An item's name, media type and indicator.
#[derive(Clone, Copy)]
struct Item(&'static str, &'static str, Indicator);

const SNP_REPORT: Item = Item(
    "cpu",
    "application/vnd.chrysalis.snp-report",
    Indicator::Evidence,
);
const TDX_QUOTE: Item = Item(
    "cpu",
    "application/vnd.chrysalis.tdx-quote",
    Indicator::Evidence,
);
const EVENT_LOG: Item = Item(
    "event_log",
    "application/vnd.chrysalis.tdx-event-log",
    Indicator::Evidence,
);
const CLAIMS: Item = Item(
    "claims",
    "application/vnd.chrysalis.claims+cbor",
    Indicator::Evidence,
);
const GPUS: Item = Item(
    "gpus",
    "application/vnd.chrysalis.gpu-evidence+cbor",
    Indicator::Evidence,
);
const CERTIFICATES: Item = Item(
    "certificates",
    "application/vnd.chrysalis.certificates+cbor",
    Indicator::Endorsements,
);
const CRLS: Item = Item(
    "crls",
    "application/vnd.chrysalis.crls+cbor",
    Indicator::Endorsements,
);
const TDX_COLLATERAL: Item = Item(
    "tdx",
    "application/vnd.chrysalis.tdx-collateral+json",
    Indicator::Endorsements,
);
const RIMS: Item = Item(
    "rims",
    "application/vnd.chrysalis.rims+cbor",
    Indicator::ReferenceValues,
);
const STATEMENTS: Item = Item(
    "statements",
    "application/vnd.chrysalis.rebuild-statements+cbor",
    Indicator::ReferenceValues,
);
const OCSP: Item = Item(
    "ocsp",
    "application/vnd.chrysalis.ocsp+cbor",
    Indicator::Endorsements,
);

/// The collection.
fn wrap(evidence: &Evidence) -> Value {
    let Endorsements {
        certificates,
        crls,
        tdx,
        rims,
        ocsp,
        statements,
    } = &evidence.endorsements;
    let (cpu, report, event_log) = match &evidence.cpu {
        CpuReport::Snp(report) => (SNP_REPORT, report, &[][..]),
        CpuReport::Tdx { quote, event_log } => (TDX_QUOTE, quote, &event_log[..]),
    };
    let answers: Vec<_> = ocsp.iter().map(|answer| answer.der.clone()).collect();
    let optional = [
        (EVENT_LOG, event_log.to_vec()),
        (CERTIFICATES, list(certificates)),
        (CRLS, list(crls)),
        (TDX_COLLATERAL, tdx.clone()),
        (RIMS, list(rims)),
        (OCSP, list(&answers)),
        (STATEMENTS, list(statements)),
    ];
    let items = [
        (cpu, report.clone()),
        (CLAIMS, evidence.claims.clone()),
        (GPUS, encode_gpus(&evidence.gpus)),
    ]
    .into_iter()
    .chain(
        optional
            .into_iter()
            .filter(|(_, content)| !content.is_empty()),
    );
    let (name, kind) = COLLECTION;
    let text = |text: &str| Value::Text(text.to_owned());
    let wrapped = items.map(|(Item(name, media_type, indicator), content)| {
        let record = [
            text(media_type),
            Value::Bytes(content),
            Value::Integer(indicator as i128),
        ];
        (text(name), Value::Array(record.into()))
    });
    Value::Map(
        [(text(name), text(kind))]
            .into_iter()
            .chain(wrapped)
            .collect(),
    )
}

/// The content of a list's item; nothing for an empty list.
fn list(items: &[Vec<u8>]) -> Vec<u8> {
    match items {
        [] => Vec::new(),
        _ => cbor::encode(&cbor::byte_strings(items)),
    }
}

/// The evidence in a collection. Every item must be known.
fn unwrap(mut fields: Fields) -> Result<Evidence, Rejection> {
    let (name, kind) = COLLECTION;
    if fields.text(name).as_deref() != Some(kind) {
        return Err(refused(name));
    }
    let (media_type, report) = take(&mut fields, "cpu")?.ok_or_else(|| refused("cpu"))?;
    let cpu = match media_type {
        _ if media_type.is(SNP_REPORT) => CpuReport::Snp(report),
        _ if media_type.is(TDX_QUOTE) => CpuReport::Tdx {
            quote: report,
            event_log: optional(&mut fields, EVENT_LOG)?,
        },
        _ => return Err(refused("cpu")),
    };
    let gpus = required(&mut fields, GPUS)?;
    let ocsp = listed(&mut fields, OCSP, MAX_ANSWERS)?;
    let evidence = Evidence {
        cpu,
        claims: required(&mut fields, CLAIMS)?,
        gpus: gpus::decode(&gpus).ok_or_else(|| refused(GPUS.0))?,
        endorsements: Endorsements {
            certificates: listed(&mut fields, CERTIFICATES, MAX_CERTIFICATES)?,
            crls: listed(&mut fields, CRLS, MAX_CRLS)?,
            tdx: optional(&mut fields, TDX_COLLATERAL)?,
            rims: listed(&mut fields, RIMS, MAX_RIMS)?,
            ocsp: ocsp.into_iter().map(OcspAnswer::brought_along).collect(),
            statements: listed(&mut fields, STATEMENTS, MAX_STATEMENTS)?,
        },
    };
    match fields.left_over() {
        Some(item) => Err(Rejection::BundleItem { item }),
        None => Ok(evidence),
    }
}

fn refused(item: &str) -> Rejection {
    Rejection::BundleItem {
        item: item.to_owned(),
    }
}

/// What an item declares to be.
struct Type {
    media_type: String,
    indicator: i128,
}

impl Type {
    fn is(&self, Item(_, media_type, indicator): Item) -> bool {
        self.media_type == media_type && self.indicator == indicator as i128
    }
}

/// Takes a record out, if there is one with this name.
fn take(fields: &mut Fields, name: &str) -> Result<Option<(Type, Vec<u8>)>, Rejection> {
    let Some(value) = fields.take(name) else {
        return Ok(None);
    };
    let record = cbor::array(value).and_then(|parts| <[Value; 3]>::try_from(parts).ok());
    match record {
        Some(
            [
                Value::Text(media_type),
                Value::Bytes(content),
                Value::Integer(indicator),
            ],
        ) => {
            let media_type = Type {
                media_type,
                indicator,
            };
            Ok(Some((media_type, content)))
        }
        _ => Err(refused(name)),
    }
}

fn required(fields: &mut Fields, item: Item) -> Result<Vec<u8>, Rejection> {
    match take(fields, item.0)? {
        Some((found, content)) if found.is(item) => Ok(content),
        _ => Err(refused(item.0)),
    }
}

/// The content of an item that must not be empty.
fn optional(fields: &mut Fields, item: Item) -> Result<Vec<u8>, Rejection> {
    match take(fields, item.0)? {
        None => Ok(Vec::new()),
        Some((found, content)) if found.is(item) && !content.is_empty() => Ok(content),
        Some(_) => Err(refused(item.0)),
    }
}

fn listed(fields: &mut Fields, item: Item, limit: usize) -> Result<Vec<Vec<u8>>, Rejection> {
    let content = optional(fields, item)?;
    if content.is_empty() {
        return Ok(Vec::new());
    }
    cbor::decode(&content)
        .and_then(cbor::array)
        .filter(|values| (1..=limit).contains(&values.len()))
        .and_then(|values| values.into_iter().map(cbor::bytes).collect())
        .ok_or_else(|| refused(item.0))
}
