//! Names and signatures in the form of AMD's certificates.

use x509_parser::{
    der_parser::{asn1_rs::BitString, oid},
    oid_registry::Oid,
    prelude::{
        AlgorithmIdentifier, CertificateRevocationList, SubjectPublicKeyInfo, X509Certificate,
        X509Name,
    },
    signature_algorithm::SignatureAlgorithm,
};

use crate::{
    crypto,
    memory::{self, Memory},
};

const RSASSA_PSS: Oid<'_> = oid!(1.2.840.113549.1.1.10);
const MGF1: Oid<'_> = oid!(1.2.840.113549.1.1.8);
const SHA384: Oid<'_> = oid!(2.16.840.1.101.3.4.2.2);
const RSA: Oid<'_> = oid!(1.2.840.113549.1.1.1);

/// The distinguished name in AMD's certificates, apart from what they all share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) organisation: String,
    pub(crate) common_name: String,
}

impl Name {
    /// Reads a name in AMD's form: C, ST, L, O, OU and CN, each once; the first three and OU are always the same.
    pub(crate) fn parse(name: &X509Name<'_>) -> Option<Self> {
        const SHARED: [(Oid<'_>, &str); 4] = [
            (oid!(2.5.4.6), "US"),
            (oid!(2.5.4.8), "CA"),
            (oid!(2.5.4.7), "Santa Clara"),
            (oid!(2.5.4.11), "Engineering"),
        ];
        let only = |oid: &Oid<'_>| {
            let mut values = name
                .iter_attributes()
                .filter(|attribute| attribute.attr_type() == oid)
                .filter_map(|attribute| attribute.as_str().ok());
            values.next().filter(|_| values.next().is_none())
        };
        let shared = SHARED.iter().all(|(oid, value)| only(oid) == Some(value));
        if !shared || name.iter_attributes().count() != SHARED.len() + 2 {
            return None;
        }
        Some(Self {
            organisation: only(&oid!(2.5.4.10))?.to_owned(),
            common_name: only(&oid!(2.5.4.3))?.to_owned(),
        })
    }
}

/// Something that a certificate's RSA key may have signed.
#[derive(Debug, PartialEq)]
pub(crate) struct Signed {
    pub(crate) bytes: Vec<u8>,
    /// If it is one by the algorithm that AMD's keys use.
    pub(crate) signature: Option<Vec<u8>>,
}

impl Signed {
    pub(crate) fn certificate(certificate: &X509Certificate<'_>) -> Self {
        let tbs = &certificate.tbs_certificate;
        let algorithms = [&certificate.signature_algorithm, &tbs.signature];
        Self::read(tbs.as_ref(), algorithms, &certificate.signature_value)
    }

    pub(crate) fn revocation_list(list: &CertificateRevocationList<'_>) -> Self {
        let tbs = &list.tbs_cert_list;
        let algorithms = [&list.signature_algorithm, &tbs.signature];
        Self::read(tbs.as_ref(), algorithms, &list.signature_value)
    }

    /// The algorithm stands outside and inside of what is signed.
    fn read(
        bytes: &[u8],
        [outer, inner]: [&AlgorithmIdentifier<'_>; 2],
        signature: &BitString<'_>,
    ) -> Self {
        let fits = outer == inner && is_pss_sha384(outer) && signature.unused_bits == 0;
        Self {
            bytes: bytes.to_vec(),
            signature: fits.then(|| signature.data.to_vec()),
        }
    }

    /// Whether the certificate with this key, which must be RSA's, signed it.
    pub(crate) fn is_by(&self, key: Option<&[u8]>, memory: &Memory) -> bool {
        let (Some(key), Some(signature)) = (key, &self.signature) else {
            return false;
        };
        memory.holds(
            || memory::signature("amd", key, &self.bytes, signature),
            || crypto::verify_rsa_pss(key, &self.bytes, signature).is_ok(),
        )
    }
}

/// The key, if it is RSA's: DER.
pub(crate) fn rsa_key<'k>(info: &'k SubjectPublicKeyInfo<'_>) -> Option<&'k [u8]> {
    let is_one = info.algorithm.algorithm == RSA && info.subject_public_key.unused_bits == 0;
    is_one.then_some(&*info.subject_public_key.data)
}

/// The parameters are compared too: a verifier that takes them from the certificate lets its author choose the hash.
fn is_pss_sha384(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    if algorithm.algorithm != RSASSA_PSS {
        return false;
    }
    let Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) = SignatureAlgorithm::try_from(algorithm)
    else {
        return false;
    };
    let mask = parameters.mask_gen_algorithm();
    *parameters.hash_algorithm_oid() == SHA384
        && mask.is_ok_and(|mask| mask.mgf == MGF1 && mask.hash == SHA384)
        && parameters.salt_length() == 48
        && parameters.trailer_field() == 1
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer as _;

    use super::*;

    /// A name with these attributes: the last byte of each one's OID below 2.5.4, and its text.
    fn name(attributes: &[(u8, &str)]) -> Option<Name> {
        let tagged = |tag: u8, content: Vec<u8>| {
            let length = u8::try_from(content.len()).expect("short");
            let length = if length < 0x80 {
                vec![length]
            } else {
                vec![0x81, length]
            };
            [vec![tag], length, content].concat()
        };
        let attribute = |(oid, text): &(u8, &str)| {
            let oid = tagged(0x06, vec![0x55, 0x04, *oid]);
            let text = tagged(0x13, text.as_bytes().to_vec());
            tagged(0x31, tagged(0x30, [oid, text].concat()))
        };
        let der = tagged(0x30, attributes.iter().flat_map(attribute).collect());
        Name::parse(&X509Name::from_der(&der).expect("a name").1)
    }

    #[test]
    fn a_name_has_the_six_attributes_and_no_other() {
        let good = [
            (6, "US"),
            (8, "CA"),
            (7, "Santa Clara"),
            (11, "Engineering"),
            (10, "AMD"),
            (3, "ARK"),
        ];
        assert!(name(&good).is_some());
        assert_eq!(name(&[&good[..], &[(5, "1")]].concat()), None);
        assert_eq!(name(&good[..5]), None);
        for place in 0..4 {
            let mut other = good;
            other[place].1 = "XX";
            assert_eq!(name(&other), None);
            let mut twice = good.to_vec();
            twice.push(good[place]);
            assert_eq!(name(&twice), None);
        }
    }
}
