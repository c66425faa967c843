//! GPU evidence as people keep it: the report as bytes or hex text, with a chain in PEM, or JSON in one of four forms, for any
//! number of GPUs ([`Form`]).
//!
//! The JSON's own nonces, architectures and versions are unsigned copies; they are not read.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

use super::{
    chain::CHAIN_LENGTH,
    spdm::{MAX_REPORT_SIZE, Request},
};
use crate::{
    Rejection,
    encoding::{base64, pem},
};

/// A machine has at most eight today.
pub const MAX_GPUS: usize = 16;
/// The JSON of one GPU has about 12 KiB.
pub const MAX_EVIDENCE_SIZE: usize = 512 * 1024;
/// A chain in PEM has about 5 KiB.
const MAX_CHAIN_SIZE: usize = 64 * 1024;

/// What one GPU answered, and its certificates. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuEvidence {
    /// SPDM request and response.
    pub report: Vec<u8>,
    /// DER, leaf first.
    pub chain: Vec<Vec<u8>>,
}

impl GpuEvidence {
    /// The nonce that it claims to answer. Trusted once the report's signature, which covers it, has been verified.
    pub(crate) fn claimed_nonce(&self) -> Result<[u8; 32], Rejection> {
        Request::parse(&self.report).map(|request| request.nonce)
    }
}

/// The forms of JSON that hold reports of GPUs with their chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// The list that NVIDIA's attestation SDK writes, or a single element of it.
    Sdk,
    /// What is posted to NVIDIA's attestation service: the same list under `evidence_list`.
    ServiceRequest,
    /// The same list under `evidences`.
    Evidences,
    /// NVIDIA's collection of conceptual messages (CMW), with an item for each GPU.
    Collection,
}

impl Form {
    /// The form of a JSON text, by its keys; `None` if it is not GPU evidence.
    pub fn of(text: &[u8]) -> Option<Self> {
        match text.trim_ascii_start().first()? {
            b'[' => {
                let list: Vec<Keys> = serde_json::from_slice(text).ok()?;
                list.iter().all(Keys::are_an_elements).then_some(Self::Sdk)
            }
            b'{' => {
                let keys: Keys = serde_json::from_slice(text).ok()?;
                match keys {
                    Keys { collection, .. } if collection.is_some() => Some(Self::Collection),
                    Keys { evidence_list, .. } if evidence_list.is_some() => {
                        Some(Self::ServiceRequest)
                    }
                    Keys { evidences, .. } if evidences.is_some() => Some(Self::Evidences),
                    keys => keys.are_an_elements().then_some(Self::Sdk),
                }
            }
            _ => None,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sdk => "the JSON of NVIDIA's attestation SDK",
            Self::ServiceRequest => "a request to NVIDIA's attestation service",
            Self::Evidences => "a list of GPU evidence under `evidences`",
            Self::Collection => "NVIDIA's CMW collection",
        })
    }
}

/// Which keys an object has. A key that appears twice is an error.
#[derive(Deserialize)]
struct Keys {
    #[serde(rename = "__cmwc_t")]
    collection: Option<IgnoredAny>,
    evidence_list: Option<IgnoredAny>,
    evidences: Option<IgnoredAny>,
    evidence: Option<IgnoredAny>,
    certificate: Option<IgnoredAny>,
}

impl Keys {
    fn are_an_elements(&self) -> bool {
        self.evidence.is_some() && self.certificate.is_some()
    }
}

/// One element of a list. Unknown keys are ignored; a known key that appears twice is an error.
#[derive(Deserialize)]
struct Serialized {
    certificate: String,
    evidence: String,
}

#[derive(Deserialize)]
struct ServiceRequest {
    evidence_list: Vec<Serialized>,
}

#[derive(Deserialize)]
struct Evidences {
    evidences: Vec<Serialized>,
}

/// Reads evidence of any of these kinds. `chain` is the file that accompanies a bare report; JSON contains its own chains.
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
                "JSON contains its own chains, so no other may be given",
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
            hex::decode(text).map_err(|_| malformed("its hex text ends in half a byte"))?
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

/// A chain as PEM, or as the base64 of PEM, as NVIDIA's tools keep it; NULs may follow either.
pub fn read_chain(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Rejection> {
    if bytes.len() > MAX_CHAIN_SIZE {
        return Err(Rejection::GpuEvidenceTooLarge { found: bytes.len() });
    }
    let read = |bytes: &[u8]| pem::labelled(pem::CERTIFICATE, bytes);
    let wrapped = || {
        let text = str::from_utf8(bytes).ok()?.trim_end_matches('\0');
        read(&base64::decode_lines(text)?)
    };
    let chain = read(bytes)
        .or_else(wrapped)
        .ok_or(malformed("its chain is not PEM"))?;
    // The exact number is checked with the chain; this bounds what is kept until then.
    if chain.len() > 4 * CHAIN_LENGTH {
        return Err(Rejection::GpuChainLength { found: chain.len() });
    }
    Ok(chain)
}

fn from_json(text: &[u8]) -> Result<Vec<GpuEvidence>, Rejection> {
    fn parsed<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, Rejection> {
        serde_json::from_slice(text).map_err(|_| {
            malformed(
                "an element does not have `certificate` and `evidence`, once each and as text",
            )
        })
    }
    let form = Form::of(text).ok_or(malformed(
        "its JSON has none of the forms of GPU evidence: the SDK's list, `evidence_list`, `evidences`, NVIDIA's collection",
    ))?;
    let list: Vec<Serialized> = match form {
        Form::Sdk if text.starts_with(b"[") => parsed(text)?,
        Form::Sdk => vec![parsed(text)?],
        Form::ServiceRequest => parsed::<ServiceRequest>(text)?.evidence_list,
        Form::Evidences => parsed::<Evidences>(text)?.evidences,
        Form::Collection => return from_collection(text),
    };
    check_count(list.len())?;
    list.iter().map(Serialized::decode).collect()
}

fn check_count(found: usize) -> Result<(), Rejection> {
    match found {
        0 => Err(Rejection::GpuEvidenceMissing),
        1..=MAX_GPUS => Ok(()),
        _ => Err(malformed("it has more GPUs than a machine has")),
    }
}

impl Serialized {
    fn decode(&self) -> Result<GpuEvidence, Rejection> {
        let evidence = self.evidence.trim_ascii();
        let report = if evidence.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            report(evidence.as_bytes())
        } else {
            report(&binary(evidence)?)
        };
        let chain = if pem::is_pem(self.certificate.as_bytes()) {
            read_chain(self.certificate.as_bytes())
        } else {
            read_chain(&binary(&self.certificate)?)
        };
        Ok(GpuEvidence {
            report: report?,
            chain: chain?,
        })
    }
}

fn binary(text: &str) -> Result<Vec<u8>, Rejection> {
    base64::decode_lines(text).ok_or(malformed("a value is not base64"))
}

/// NVIDIA's collection: RFC 9999's records in JSON, one object for each device under its own label.
struct Collection(Vec<Item>);

/// What one device says. The nonce and hints next to it are unsigned copies.
#[derive(Deserialize)]
struct Item {
    evidence: Record,
    certificate: Option<Record>,
}

/// Media type, and content in URL-safe base64 (RFC 4648 §5), without padding.
#[derive(Deserialize)]
struct Record(String, String);

impl Record {
    fn decode(&self, media_type: &str, otherwise: &'static str) -> Result<Vec<u8>, Rejection> {
        if self.0 != media_type {
            return Err(malformed(otherwise));
        }
        base64::decode_url_unpadded(&self.1).ok_or(malformed("a value is not base64url"))
    }
}

impl<'de> Deserialize<'de> for Collection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Labels;
        impl<'de> Visitor<'de> for Labels {
            type Value = Collection;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a collection")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Collection, A::Error> {
                let mut seen = BTreeSet::new();
                let mut items = Vec::new();
                while let Some(label) = map.next_key::<String>()? {
                    match label.as_str() {
                        // The profile is in `Form` already; what the asker wanted is not for the evidence to say.
                        "__cmwc_t" | "nonce" | "appraisal-settings" => {
                            map.next_value::<IgnoredAny>()?;
                        }
                        _ => items.push(map.next_value()?),
                    }
                    if !seen.insert(label) || items.len() > MAX_GPUS {
                        return Err(A::Error::custom("a label twice, or too many"));
                    }
                }
                Ok(Collection(items))
            }
        }
        deserializer.deserialize_map(Labels)
    }
}

fn from_collection(text: &[u8]) -> Result<Vec<GpuEvidence>, Rejection> {
    let Collection(items) = serde_json::from_slice(text).map_err(|_| {
        malformed("an item of its collection has no `evidence` of media type and value, a label appears twice, or it has too many")
    })?;
    check_count(items.len())?;
    let decode = |item: &Item| {
        let chain = item.certificate.as_ref().ok_or(malformed(
            "an item of its collection has no certificates, which evidence of GPUs has",
        ))?;
        Ok(GpuEvidence {
            report: report(&item.evidence.decode(
                "application/vnd.nvidia.spdm-measurement-transcript",
                "an item of its collection is not an SPDM transcript, so it is not from a GPU",
            )?)?,
            chain: read_chain(&chain.decode(
                "application/vnd.nvidia.pem-cert-chain",
                "an item of its collection has certificates in a form other than PEM",
            )?)?,
        })
    };
    items.iter().map(decode).collect()
}

/// What bytes that are not a report look like: people mix up files.
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
