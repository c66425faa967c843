//! The evidence as it travels: a CMW collection (RFC 9999) in deterministic CBOR, with limits. docs/spec/bundle.md has the bytes.

use serde_cbor::Value;
use x509_parser::asn1_rs::{FromDer, OctetString};

use crate::{
    Rejection,
    cbor::{self, Fields},
    x509,
};

/// The most bytes a bundle may have.
pub const MAX_BUNDLE: usize = 256 * 1024;
/// The most certificates a bundle may have.
pub const MAX_CERTIFICATES: usize = 16;
/// The most revocation lists a bundle may have.
pub const MAX_CRLS: usize = 8;
/// The extension of a certificate that carries a bundle: id-pe-cmw.
pub const ID_PE_CMW: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 35];

/// The empty CBOR array: the evidence of no GPU.
pub const NO_GPUS: [u8; 1] = [0x80];

/// Names the kind of collection and its version: `__cmwc_t`.
const COLLECTION: (&str, &str) = ("__cmwc_t", "tag:chrysalis,2026:evidence/1");

/// What a CMW's indicator says it is.
#[derive(Clone, Copy)]
enum Indicator {
    Endorsements = 1 << 1,
    Evidence = 1 << 2,
}

/// An item's name, media type and indicator.
type Item = (&'static str, &'static str, Indicator);

const SNP_REPORT: Item = (
    "cpu",
    "application/vnd.chrysalis.snp-report",
    Indicator::Evidence,
);
const CLAIMS: Item = (
    "claims",
    "application/vnd.chrysalis.claims+cbor",
    Indicator::Evidence,
);
const GPUS: Item = (
    "gpus",
    "application/vnd.chrysalis.gpu-evidence+cbor",
    Indicator::Evidence,
);
const CERTIFICATES: Item = (
    "certificates",
    "application/vnd.chrysalis.certificates+cbor",
    Indicator::Endorsements,
);
const CRLS: Item = (
    "crls",
    "application/vnd.chrysalis.crls+cbor",
    Indicator::Endorsements,
);

/// One machine's evidence. Untrusted until it has walked to [`crate::Trusted`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The CPU's report.
    pub cpu: CpuReport,
    /// Deterministic CBOR of [`crate::claims::Claims`]. Bound.
    pub claims: Vec<u8>,
    /// Deterministic CBOR array of the GPUs' evidence; [`NO_GPUS`] without GPUs. Bound.
    pub gpus: Vec<u8>,
    /// What vendors have signed about this platform: untrusted transport.
    pub endorsements: Endorsements,
}

/// The CPU's signed report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CpuReport {
    /// AMD SEV-SNP attestation report, 1184 bytes.
    Snp(Vec<u8>),
}

/// DER certificates and revocation lists, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endorsements {
    /// X.509 certificates, DER.
    pub certificates: Vec<Vec<u8>>,
    /// X.509 revocation lists, DER.
    pub crls: Vec<Vec<u8>>,
}

impl Evidence {
    /// Encodes the bundle.
    pub fn encode(&self) -> Vec<u8> {
        let CpuReport::Snp(report) = &self.cpu;
        let (name, kind) = COLLECTION;
        let wrap = |(name, media_type, indicator): Item, content: Vec<u8>| {
            let media_type = Value::Text(media_type.to_owned());
            let indicator = Value::Integer(indicator as i128);
            (
                name,
                Value::Array(vec![media_type, Value::Bytes(content), indicator]),
            )
        };
        let list = |items: &[Vec<u8>]| cbor::encode(&cbor::byte_strings(items));
        cbor::encode(&cbor::map([
            (name, Value::Text(kind.to_owned())),
            wrap(SNP_REPORT, report.clone()),
            wrap(CLAIMS, self.claims.clone()),
            wrap(GPUS, self.gpus.clone()),
            wrap(CERTIFICATES, list(&self.endorsements.certificates)),
            wrap(CRLS, list(&self.endorsements.crls)),
        ]))
    }

    /// Decodes a bundle; anything but the one deterministic encoding is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        if bytes.len() > MAX_BUNDLE {
            return Err(Rejection::BundleTooLarge { found: bytes.len() });
        }
        let malformed = |what| Rejection::BundleMalformed { what };
        let value = cbor::decode(bytes).ok_or(malformed("not deterministic CBOR"))?;
        let mut fields = Fields::of(value).ok_or(malformed("not a map"))?;
        let (name, kind) = COLLECTION;
        if fields.text(name).as_deref() != Some(kind) {
            return Err(Rejection::BundleItem {
                item: name.to_owned(),
            });
        }
        let evidence = Self {
            cpu: CpuReport::Snp(unwrap(&mut fields, SNP_REPORT)?),
            claims: unwrap(&mut fields, CLAIMS)?,
            gpus: unwrap(&mut fields, GPUS)?,
            endorsements: Endorsements {
                certificates: unwrap_list(&mut fields, CERTIFICATES, MAX_CERTIFICATES)?,
                crls: unwrap_list(&mut fields, CRLS, MAX_CRLS)?,
            },
        };
        gpu_count(&evidence.gpus)?;
        match fields.left_over() {
            Some(item) => Err(Rejection::BundleItem { item }),
            None => Ok(evidence),
        }
    }

    /// The bundle inside a certificate's id-pe-cmw extension, and the DER of the certificate's `SubjectPublicKeyInfo`.
    pub fn from_certificate(der: &[u8]) -> Result<(Self, Vec<u8>), Rejection> {
        let certificate = x509::certificate(der)?;
        let oid = ID_PE_CMW.map(|arc| arc.to_string()).join(".");
        let mut carried = certificate
            .extensions()
            .iter()
            .filter(|extension| extension.oid.to_id_string() == oid);
        let extension = carried.next().ok_or(Rejection::EvidenceMissing)?;
        if carried.next().is_some() {
            return Err(Rejection::BundleMalformed {
                what: "the certificate carries two",
            });
        }
        let Ok(([], content)) = OctetString::from_der(extension.value) else {
            return Err(Rejection::BundleMalformed {
                what: "not an OCTET STRING in id-pe-cmw",
            });
        };
        let spki = certificate.tbs_certificate.subject_pki.raw.to_vec();
        Ok((Self::decode(content.as_ref())?, spki))
    }

    /// The value of the id-pe-cmw extension that carries this bundle: a DER OCTET STRING, the `cbor` choice of RFC 9999.
    pub fn certificate_extension(&self) -> Vec<u8> {
        let content = self.encode();
        let length = content.len().to_be_bytes();
        let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
        let head = if let [short @ ..=0x7F] = *significant {
            vec![0x04, short]
        } else {
            let count = u8::try_from(significant.len()).expect("a length has at most 8 bytes");
            [&[0x04, 0x80 | count], significant.as_slice()].concat()
        };
        [head, content].concat()
    }
}

/// How many GPUs the evidence is of.
pub(crate) fn gpu_count(gpus: &[u8]) -> Result<usize, Rejection> {
    match cbor::decode(gpus) {
        Some(Value::Array(gpus)) => Ok(gpus.len()),
        _ => Err(Rejection::BundleItem {
            item: GPUS.0.to_owned(),
        }),
    }
}

fn unwrap(fields: &mut Fields, (name, media_type, indicator): Item) -> Result<Vec<u8>, Rejection> {
    if let Some(Value::Array(parts)) = fields.take(name)
        && let Ok(
            [
                Value::Text(found),
                Value::Bytes(content),
                Value::Integer(says),
            ],
        ) = <[Value; 3]>::try_from(parts)
        && found == media_type
        && says == indicator as i128
    {
        return Ok(content);
    }
    Err(Rejection::BundleItem {
        item: name.to_owned(),
    })
}

fn unwrap_list(fields: &mut Fields, item: Item, limit: usize) -> Result<Vec<Vec<u8>>, Rejection> {
    let wrong = || Rejection::BundleItem {
        item: item.0.to_owned(),
    };
    let Some(Value::Array(values)) = cbor::decode(&unwrap(fields, item)?) else {
        return Err(wrong());
    };
    if values.len() > limit {
        return Err(wrong());
    }
    let bytes = |value| match value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    };
    values
        .into_iter()
        .map(bytes)
        .collect::<Option<_>>()
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        Evidence {
            cpu: CpuReport::Snp(vec![7; 1184]),
            claims: crate::claims::tests::claims().encode(),
            gpus: NO_GPUS.to_vec(),
            endorsements: Endorsements {
                certificates: vec![vec![1], vec![2]],
                crls: vec![vec![3]],
            },
        }
    }

    fn changed(change: impl FnOnce(&mut std::collections::BTreeMap<Value, Value>)) -> Vec<u8> {
        let Some(Value::Map(mut fields)) = cbor::decode(&evidence().encode()) else {
            panic!()
        };
        change(&mut fields);
        cbor::encode(&Value::Map(fields))
    }

    fn refused_item(bytes: &[u8], item: &str) {
        assert_eq!(
            Evidence::decode(bytes),
            Err(Rejection::BundleItem {
                item: item.to_owned()
            })
        );
    }

    #[test]
    fn a_bundle_comes_back_as_it_was() {
        assert_eq!(Evidence::decode(&evidence().encode()), Ok(evidence()));
    }

    #[test]
    fn refuses_a_bundle_over_the_limit() {
        let found = MAX_BUNDLE + 1;
        assert_eq!(
            Evidence::decode(&vec![0; found]),
            Err(Rejection::BundleTooLarge { found })
        );
    }

    #[test]
    fn refuses_every_cut_and_every_appended_byte() {
        let bytes = evidence().encode();
        for length in (0..bytes.len()).step_by(7) {
            assert!(Evidence::decode(&bytes[..length]).is_err());
        }
        let longer = [bytes, vec![0]].concat();
        let what = "not deterministic CBOR";
        assert_eq!(
            Evidence::decode(&longer),
            Err(Rejection::BundleMalformed { what })
        );
    }

    #[test]
    fn refuses_items_that_are_missing_unknown_or_of_another_type() {
        refused_item(
            &changed(|fields| drop(fields.remove(&Value::Text("cpu".into())))),
            "cpu",
        );
        refused_item(
            &changed(|fields| drop(fields.insert(Value::Text("extra".into()), Value::Null))),
            "extra",
        );
        refused_item(
            &changed(|fields| drop(fields.insert(Value::Text("gpus".into()), Value::Null))),
            "gpus",
        );
        refused_item(
            &changed(|fields| drop(fields.remove(&Value::Text("__cmwc_t".into())))),
            "__cmwc_t",
        );
    }

    #[test]
    fn refuses_gpu_evidence_that_is_no_array() {
        refused_item(
            &Evidence {
                gpus: vec![0xA0],
                ..evidence()
            }
            .encode(),
            "gpus",
        );
    }

    #[test]
    fn refuses_too_many_certificates() {
        let certificates = vec![vec![]; MAX_CERTIFICATES + 1];
        let endorsements = Endorsements {
            certificates,
            crls: vec![],
        };
        refused_item(
            &Evidence {
                endorsements,
                ..evidence()
            }
            .encode(),
            "certificates",
        );
    }

    #[test]
    fn the_extension_is_an_octet_string() {
        let extension = evidence().certificate_extension();
        let (rest, content) = OctetString::from_der(&extension).expect("DER");
        assert!(rest.is_empty());
        assert_eq!(Evidence::decode(content.as_ref()), Ok(evidence()));
    }

    proptest::proptest! {
        #[test]
        fn no_changed_byte_goes_unseen(index: proptest::sample::Index, change in 1..=u8::MAX) {
            let mut bytes = evidence().encode();
            let byte = index.get_mut(&mut bytes);
            *byte ^= change;
            if let Ok(changed) = Evidence::decode(&bytes) {
                proptest::prop_assert_ne!(&changed, &evidence());
                proptest::prop_assert_eq!(changed.encode(), bytes);
            }
        }
    }
}
