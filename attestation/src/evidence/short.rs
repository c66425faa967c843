//! A short bundle: what is new in this answer, and the digest of the rest, which its asker has. docs/spec/batch.md.
//!
//! Filled, it is the whole bundle, and is verified like one: having kept something earns no trust.

use serde_cbor::Value;

use super::{
    CpuReport, Endorsements, Evidence,
    collection::{KIND, SHORT, collection, entries, read},
    gpus::{MAX_GPUS, MAX_REPORT_SIZE},
    items::{
        CLAIMS, Contents, REPORTS, REST, nothing_left, of_cpu, of_endorsements, of_path, refused,
        required, take_cpu, take_path,
    },
    path::Path,
};
use crate::{
    Rejection,
    encoding::{
        cbor::{self, Fields},
        digest::sha256,
    },
    nvidia::GpuEvidence,
};

/// What the bundles of one machine have in common from one question to the next: the endorsements, the devices' certificates and
/// the event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    digest: [u8; 32],
    endorsements: Endorsements,
    /// Each device's certificates.
    chains: Vec<Vec<Vec<u8>>>,
    event_log: Vec<u8>,
}

impl Rest {
    /// The rest of this evidence.
    pub fn of(evidence: &Evidence) -> Self {
        let chains: Vec<_> = evidence.gpus.iter().map(|gpu| gpu.chain.clone()).collect();
        let [_, event_log] = of_cpu(&evidence.cpu);
        let (_, log) = &event_log;
        let log = log.clone();
        let items = of_endorsements(&evidence.endorsements).into_iter();
        let mut map = entries(items.chain([event_log]));
        let encoded = chains.iter().map(|chain| cbor::byte_strings(chain));
        let encoded = Value::Array(encoded.collect());
        map.insert(Value::Text("chains".to_owned()), encoded);
        Self {
            digest: sha256(&[&cbor::encode(&Value::Map(map))]),
            endorsements: evidence.endorsements.clone(),
            chains,
            event_log: log,
        }
    }

    /// SHA-256 of its deterministic encoding: what `have` names.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// The items of a short bundle, without the path.
pub(super) fn contents(evidence: &Evidence, rest: &[u8; 32]) -> Contents {
    let reports: Vec<_> = evidence.gpus.iter().map(|gpu| gpu.report.clone()).collect();
    let [cpu, _] = of_cpu(&evidence.cpu);
    vec![
        cpu,
        (CLAIMS, evidence.claims.clone()),
        (REPORTS, cbor::encode(&cbor::byte_strings(&reports))),
        (REST, rest.to_vec()),
    ]
}

/// A short bundle that could be read. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    cpu: CpuReport,
    claims: Vec<u8>,
    reports: Vec<Vec<u8>>,
    path: Option<Path>,
    rest: [u8; 32],
}

impl Short {
    /// Encodes what of this evidence is not in its rest.
    pub fn encode(evidence: &Evidence) -> Vec<u8> {
        let items = contents(evidence, Rest::of(evidence).digest()).into_iter();
        let items = items.chain([of_path(evidence.path.as_ref())]);
        cbor::encode(&Value::Map(collection(SHORT, items)))
    }

    /// Decodes a short bundle, in its one deterministic encoding; `None` if it is a collection of another kind.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Rejection> {
        let mut fields = read(bytes)?;
        if fields.text(KIND).as_deref() != Some(SHORT) {
            return Ok(None);
        }
        let short = Self {
            cpu: take_cpu(&mut fields, |_| Ok(Vec::new()))?,
            claims: required(&mut fields, CLAIMS)?,
            reports: reports(&mut fields)?,
            path: path(&mut fields)?,
            rest: required(&mut fields, REST)?
                .try_into()
                .map_err(|_| refused(REST.0))?,
        };
        nothing_left(&fields, Some(short))
    }

    /// The digest of what is left out.
    pub fn rest(&self) -> &[u8; 32] {
        &self.rest
    }

    /// The whole evidence, if this is its rest.
    pub fn fill(self, rest: &Rest) -> Option<Evidence> {
        if self.rest != rest.digest || self.reports.len() != rest.chains.len() {
            return None;
        }
        let devices = self.reports.into_iter().zip(rest.chains.iter().cloned());
        let cpu = match self.cpu {
            CpuReport::Tdx { quote, .. } => CpuReport::Tdx {
                quote,
                event_log: rest.event_log.clone(),
            },
            snp => snp,
        };
        Some(Evidence {
            cpu,
            claims: self.claims,
            gpus: devices
                .map(|(report, chain)| GpuEvidence { report, chain })
                .collect(),
            path: self.path,
            endorsements: rest.endorsements.clone(),
        })
    }
}

/// One answer of each device; an empty array without any.
fn reports(fields: &mut Fields) -> Result<Vec<Vec<u8>>, Rejection> {
    let content = required(fields, REPORTS)?;
    let reports = cbor::decode(&content).and_then(cbor::array);
    let reports = reports.filter(|reports| reports.len() <= MAX_GPUS);
    let read = |report| cbor::bytes(report).filter(|it| it.len() <= MAX_REPORT_SIZE);
    reports
        .and_then(|reports| reports.into_iter().map(read).collect())
        .ok_or_else(|| refused(REPORTS.0))
}

/// Where a report answers one question alone, there is none.
fn path(fields: &mut Fields) -> Result<Option<Path>, Rejection> {
    let named = fields.has("path");
    named.then(|| take_path(fields)).transpose()
}
