//! The items of the collections: each has one name, media type and indicator, and one rule for when it is present.
//!
//! `cpu`, `claims` and `gpus` are always present. Any other item is present if and only if it is not empty: an empty one is refused.

use serde_cbor::Value;

use super::{CpuReport, Endorsements, MAX_CERTIFICATES, MAX_CRLS, path::Path};
use crate::{
    Rejection,
    encoding::cbor::{self, Fields},
    nvidia::{
        MAX_RIMS,
        ocsp::{MAX_ANSWERS, OcspAnswer},
    },
    release::MAX_STATEMENTS,
};

/// The kind of content that a CMW's indicator declares: RFC 9999, the bits of `cm-type`.
#[derive(Clone, Copy)]
pub(super) enum Indicator {
    ReferenceValues = 1 << 0,
    Endorsements = 1 << 1,
    Evidence = 1 << 2,
}

/// An item's name, what its media type ends in, and its indicator.
#[derive(Clone, Copy)]
pub(super) struct Item(pub(super) &'static str, &'static str, pub(super) Indicator);

impl Item {
    pub(super) fn media_type(self) -> String {
        format!("application/vnd.chrysalis.{}", self.1)
    }
}

const SNP_REPORT: Item = Item("cpu", "snp-report", Indicator::Evidence);
const TDX_QUOTE: Item = Item("cpu", "tdx-quote", Indicator::Evidence);
pub(super) const EVENT_LOG: Item = Item("event_log", "tdx-event-log", Indicator::Evidence);
pub(super) const CLAIMS: Item = Item("claims", "claims+cbor", Indicator::Evidence);
pub(super) const GPUS: Item = Item("gpus", "gpu-evidence+cbor", Indicator::Evidence);
pub(super) const PATH: Item = Item("path", "path+cbor", Indicator::Evidence);
/// The devices' answers without their certificates, in a short bundle.
pub(super) const REPORTS: Item = Item("reports", "gpu-reports+cbor", Indicator::Evidence);
/// The digest of what a short bundle leaves out.
pub(super) const REST: Item = Item("rest", "rest-sha256", Indicator::Endorsements);
const CERTIFICATES: Item = Item("certificates", "certificates+cbor", Indicator::Endorsements);
const CRLS: Item = Item("crls", "crls+cbor", Indicator::Endorsements);
const TDX_COLLATERAL: Item = Item("tdx", "tdx-collateral+json", Indicator::Endorsements);
const RIMS: Item = Item("rims", "rims+cbor", Indicator::ReferenceValues);
const STATEMENTS: Item = Item(
    "statements",
    "rebuild-statements+cbor",
    Indicator::ReferenceValues,
);
const OCSP: Item = Item("ocsp", "ocsp+cbor", Indicator::Endorsements);

/// Items with their content.
pub(super) type Contents = Vec<(Item, Vec<u8>)>;

/// The CPU's report and, if it has one, its event log, whose content is otherwise empty.
pub(super) fn of_cpu(cpu: &CpuReport) -> [(Item, Vec<u8>); 2] {
    let (item, report, event_log) = match cpu {
        CpuReport::Snp(report) => (SNP_REPORT, report, &[][..]),
        CpuReport::Tdx { quote, event_log } => (TDX_QUOTE, quote, &event_log[..]),
    };
    [(item, report.clone()), (EVENT_LOG, event_log.to_vec())]
}

/// The endorsements; what there is none of has no content.
pub(super) fn of_endorsements(endorsements: &Endorsements) -> Contents {
    let Endorsements {
        certificates,
        crls,
        tdx,
        rims,
        ocsp,
        statements,
    } = endorsements;
    let answers: Vec<_> = ocsp.iter().map(|answer| answer.der.clone()).collect();
    vec![
        (CERTIFICATES, list(certificates)),
        (CRLS, list(crls)),
        (TDX_COLLATERAL, tdx.clone()),
        (RIMS, list(rims)),
        (OCSP, list(&answers)),
        (STATEMENTS, list(statements)),
    ]
}

/// A path, if there is one.
pub(super) fn of_path(path: Option<&Path>) -> (Item, Vec<u8>) {
    (PATH, path.map(Path::encode).unwrap_or_default())
}

/// The content of a list's item; nothing for an empty list.
fn list(items: &[Vec<u8>]) -> Vec<u8> {
    match items {
        [] => Vec::new(),
        _ => cbor::encode(&cbor::byte_strings(items)),
    }
}

/// The CPU's report. A quote's event log is read with `event_log`, as not every collection has it.
pub(super) fn take_cpu(
    fields: &mut Fields,
    event_log: impl FnOnce(&mut Fields) -> Result<Vec<u8>, Rejection>,
) -> Result<CpuReport, Rejection> {
    let (media_type, report) = take(fields, "cpu")?.ok_or_else(|| refused("cpu"))?;
    match media_type {
        _ if media_type.is(SNP_REPORT) => Ok(CpuReport::Snp(report)),
        _ if media_type.is(TDX_QUOTE) => Ok(CpuReport::Tdx {
            quote: report,
            event_log: event_log(fields)?,
        }),
        _ => Err(refused("cpu")),
    }
}

/// The path, where there must be one.
pub(super) fn take_path(fields: &mut Fields) -> Result<Path, Rejection> {
    Path::decode(&required(fields, PATH)?)
}

/// The endorsements.
pub(super) fn take_endorsements(fields: &mut Fields) -> Result<Endorsements, Rejection> {
    let ocsp = listed(fields, OCSP, MAX_ANSWERS)?;
    Ok(Endorsements {
        certificates: listed(fields, CERTIFICATES, MAX_CERTIFICATES)?,
        crls: listed(fields, CRLS, MAX_CRLS)?,
        tdx: optional(fields, TDX_COLLATERAL)?,
        rims: listed(fields, RIMS, MAX_RIMS)?,
        ocsp: ocsp.into_iter().map(OcspAnswer::brought_along).collect(),
        statements: listed(fields, STATEMENTS, MAX_STATEMENTS)?,
    })
}

/// Everything was taken.
pub(super) fn nothing_left<T>(fields: &Fields, found: T) -> Result<T, Rejection> {
    match fields.left_over() {
        Some(item) => Err(Rejection::BundleItem { item }),
        None => Ok(found),
    }
}

pub(super) fn refused(item: &str) -> Rejection {
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
    fn is(&self, item: Item) -> bool {
        let (media_type, indicator) = (item.media_type(), item.2);
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

pub(super) fn required(fields: &mut Fields, item: Item) -> Result<Vec<u8>, Rejection> {
    match take(fields, item.0)? {
        Some((found, content)) if found.is(item) => Ok(content),
        _ => Err(refused(item.0)),
    }
}

/// The content of an item that must not be empty.
pub(super) fn optional(fields: &mut Fields, item: Item) -> Result<Vec<u8>, Rejection> {
    match take(fields, item.0)? {
        None => Ok(Vec::new()),
        Some((found, content)) if found.is(item) && !content.is_empty() => Ok(content),
        Some(_) => Err(refused(item.0)),
    }
}

pub(super) fn listed(
    fields: &mut Fields,
    item: Item,
    limit: usize,
) -> Result<Vec<Vec<u8>>, Rejection> {
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
