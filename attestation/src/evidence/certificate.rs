//! A bundle inside a certificate: the extension id-pe-cmw of RFC 9999.

use x509_parser::asn1_rs::{FromDer, OctetString};

use super::Evidence;
use crate::{Rejection, encoding::x509};

/// The certificate extension that carries a bundle: id-pe-cmw.
pub const ID_PE_CMW: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 35];

impl Evidence {
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
