//! What to fetch before evidence can be verified: which manifests, and OCSP answers about which certificates.
//!
//! All of it is read from evidence that nobody has verified yet. It says what to ask NVIDIA for, and nothing else: names from
//! here are letters, digits, dots, dashes and underscores, so that they may stand in an address or a file's name.

use super::{
    GpuEvidence,
    chain::claimed_architecture,
    opaque::Opaque,
    rim::Document,
    spdm::Report,
    version::{driver_rim_id, vbios_rim_id},
};
use crate::Rejection;

/// A certificate that OCSP is asked about, with its issuer. Both DER; [`super::ocsp::question`] makes the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questioned {
    /// The certificate.
    pub subject: Vec<u8>,
    /// Its issuer, by which OCSP names it.
    pub issuer: Vec<u8>,
}

/// The ids of a GPU's manifests, the driver's first; none where the firmware does not say which chip it is.
pub fn rim_ids(evidence: &GpuEvidence) -> Result<Vec<String>, Rejection> {
    let architecture = claimed_architecture(&evidence.chain)?;
    let opaque = Opaque::parse(Report::parse(&evidence.report)?.opaque)?;
    let ids = driver_rim_id(architecture, &opaque)
        .into_iter()
        .chain([vbios_rim_id(&opaque)]);
    Ok(ids.collect())
}

/// Those of a GPU's certificates that NVIDIA's responder knows: all but the leaf, which the device made, and the root.
pub fn of_device(evidence: &GpuEvidence) -> Vec<Questioned> {
    pairs(evidence.chain.get(1..).unwrap_or_default())
}

/// Those of a manifest's certificates that NVIDIA's responder knows: all but the root.
pub fn of_rim(bytes: &[u8]) -> Result<Vec<Questioned>, Rejection> {
    Ok(pairs(Document::parse(bytes)?.supplied_chain()))
}

fn pairs(chain: &[Vec<u8>]) -> Vec<Questioned> {
    let issuers = chain.iter().skip(1);
    chain
        .iter()
        .zip(issuers)
        .map(|(subject, issuer)| Questioned {
            subject: subject.clone(),
            issuer: issuer.clone(),
        })
        .collect()
}
