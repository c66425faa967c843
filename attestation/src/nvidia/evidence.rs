//! GPU evidence as people keep it: the report as bytes or hex text beside a chain in PEM, or the JSON that NVIDIA's
//! attestation SDK writes, for any number of GPUs.
//!
//! The JSON's own nonce, architecture and versions are copies that nobody signed; they are not read.

use serde::Deserialize;

use super::{
    certificate::Certificate,
    chain::CHAIN_LENGTH,
    pem,
    spdm::{MAX_REPORT_SIZE, Request},
};
use crate::Rejection;

/// A machine has at most eight today.
pub const MAX_GPUS: usize = 16;
/// The JSON of one GPU has about 12 KiB.
pub const MAX_EVIDENCE_SIZE: usize = 512 * 1024;
/// A chain in PEM has about 5 KiB.
const MAX_CHAIN_SIZE: usize = 64 * 1024;

/// What one GPU answered, and its certificates. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuEvidence {
    /// SPDM request and response.
    pub report: Vec<u8>,
    /// DER, leaf first.
    pub chain: Vec<Vec<u8>>,
}

impl GpuEvidence {
    /// The question that it says it answers. Believed once the report's signature holds, which covers it.
    pub(crate) fn claimed_nonce(&self) -> Result<[u8; 32], Rejection> {
        Request::parse(&self.report).map(|request| request.nonce)
    }

    /// The device that it says it is of: its leaf's serial number, NVIDIA's ueid.
    pub(crate) fn claimed_device(&self) -> Result<String, Rejection> {
        let found = self.chain.len();
        let leaf = self.chain.first();
        let leaf = leaf.ok_or(Rejection::GpuChainLength { found })?;
        Certificate::parse(leaf, "device leaf").map(|leaf| leaf.serial_decimal())
    }
}

/// One element of the SDK's JSON. Unknown keys are the SDK's own affair; a known key that stands twice is an error.
#[derive(Deserialize)]
struct Serialized {
    certificate: String,
    evidence: String,
}

/// Reads evidence of any of the kinds. `chain` is the file beside a bare report; JSON brings its own chains.
pub fn read(evidence: &[u8], chain: Option<&[u8]>) -> Result<Vec<GpuEvidence>, Rejection> {
    if evidence.len() > MAX_EVIDENCE_SIZE {
        return Err(Rejection::GpuEvidenceTooLarge {
            found: evidence.len(),
        });
    }
    let text = evidence.trim_ascii();
    if let [b'[' | b'{', ..] = text {
        return match chain {
            None => from_json(text),
            Some(_) => Err(malformed(
                "JSON brings its own chains, so there is no place for another",
            )),
        };
    }
    let report = report(evidence)?;
    let chain = chain.ok_or(malformed("a bare report needs its chain of certificates"))?;
    Ok(vec![GpuEvidence {
        report,
        chain: read_chain(chain)?,
    }])
}

/// A report as bytes, or as hex text.
fn report(bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    let text = bytes.trim_ascii();
    let report = match bytes {
        [0x11, 0xE0, ..] => bytes.to_vec(),
        _ if !text.is_empty() && text.iter().all(u8::is_ascii_hexdigit) => {
            hex::decode(text).map_err(|_| malformed("its hex text has half a byte"))?
        }
        _ => return Err(Rejection::GpuEvidenceKind { found: kind(bytes) }),
    };
    if report.len() > MAX_REPORT_SIZE {
        return Err(Rejection::GpuEvidenceTooLarge {
            found: report.len(),
        });
    }
    Ok(report)
}

/// A chain as PEM, or as the base64 of PEM, as NVIDIA's tools keep it.
pub fn read_chain(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Rejection> {
    if bytes.len() > MAX_CHAIN_SIZE {
        return Err(Rejection::GpuEvidenceTooLarge { found: bytes.len() });
    }
    let read = |bytes: &[u8]| str::from_utf8(bytes).ok().and_then(pem::parse);
    let wrapped = || {
        str::from_utf8(bytes)
            .ok()
            .and_then(pem::unwrapped)
            .and_then(|inner| read(&inner))
    };
    let chain = read(bytes)
        .or_else(wrapped)
        .ok_or(malformed("its chain is not PEM"))?;
    // The right number is checked with the chain; this bounds what is kept until then.
    if chain.len() > 4 * CHAIN_LENGTH {
        return Err(Rejection::GpuChainLength { found: chain.len() });
    }
    Ok(chain)
}

fn from_json(text: &[u8]) -> Result<Vec<GpuEvidence>, Rejection> {
    let not_the_sdks = |_| malformed("it is not the JSON of NVIDIA's attestation SDK");
    let list: Vec<Serialized> = match text.first() {
        Some(b'[') => serde_json::from_slice(text).map_err(not_the_sdks)?,
        _ => vec![serde_json::from_slice(text).map_err(not_the_sdks)?],
    };
    if list.is_empty() {
        return Err(Rejection::GpuEvidenceMissing);
    }
    if list.len() > MAX_GPUS {
        return Err(malformed("it has more GPUs than a machine has"));
    }
    list.iter().map(Serialized::decode).collect()
}

impl Serialized {
    fn decode(&self) -> Result<GpuEvidence, Rejection> {
        let binary = |text: &str| pem::unwrapped(text).ok_or(malformed("a value is not base64"));
        Ok(GpuEvidence {
            report: report(&binary(&self.evidence)?)?,
            chain: read_chain(&binary(&self.certificate)?)?,
        })
    }
}

/// What bytes look like that are no report: people swap files.
fn kind(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "empty",
        [b'-', b'-', b'-', b'-', b'-', ..] => "PEM",
        [b'<', ..] => "XML, perhaps a RIM",
        [0x30, 0x82, ..] => "DER, perhaps a certificate or an OCSP answer",
        [4 | 5, 0, 2 | 3, 0, 0x81, ..] => "a TDX quote",
        [3, 0, ..] if bytes.len() != 1184 => "an SGX quote",
        [2..=5, 0, 0, 0, ..] if bytes.len() == 1184 => "an SEV-SNP report",
        _ => "something unknown",
    }
}

fn malformed(what: &'static str) -> Rejection {
    Rejection::GpuEvidenceMalformed { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_file_that_was_swapped() {
        for (bytes, found) in [
            (&b""[..], "empty"),
            (b"-----BEGIN CERTIFICATE-----", "PEM"),
            (b"<SoftwareIdentity>", "XML, perhaps a RIM"),
            (&[4, 0, 2, 0, 0x81, 0, 0, 0], "a TDX quote"),
            (
                &[[2, 0, 0, 0].as_slice(), &[0; 1180]].concat(),
                "an SEV-SNP report",
            ),
            (&[0xFF; 7], "something unknown"),
        ] {
            assert_eq!(read(bytes, None), Err(Rejection::GpuEvidenceKind { found }));
        }
    }

    #[test]
    fn refuses_json_that_says_a_thing_twice() {
        let twice = br#"{"certificate":"","certificate":"","evidence":""}"#;
        assert_eq!(
            read(twice, None).map_err(|it| it.code()),
            Err("gpu_evidence_malformed")
        );
        assert_eq!(read(b"[]", None), Err(Rejection::GpuEvidenceMissing));
        let many = format!(
            "[{}]",
            vec![r#"{"certificate":"","evidence":""}"#; MAX_GPUS + 1].join(",")
        );
        assert_eq!(
            read(many.as_bytes(), None).map_err(|it| it.code()),
            Err("gpu_evidence_malformed")
        );
    }

    #[test]
    fn a_bare_report_needs_a_chain_and_json_needs_none() {
        assert_eq!(
            read(b"11e0", None).map_err(|it| it.code()),
            Err("gpu_evidence_malformed")
        );
        assert_eq!(
            read(b"[]", Some(b"")).map_err(|it| it.code()),
            Err("gpu_evidence_malformed")
        );
        let large = vec![b'0'; MAX_EVIDENCE_SIZE + 1];
        assert_eq!(
            read(&large, None),
            Err(Rejection::GpuEvidenceTooLarge {
                found: MAX_EVIDENCE_SIZE + 1
            })
        );
    }
}
