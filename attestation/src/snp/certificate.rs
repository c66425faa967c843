//! The certificate of the key that signs reports: VCEK (one chip) or VLEK (one cloud provider).
//!
//! AMD 57230 gives it a fixed form, and only that form is accepted: serial 0, and no extensions except AMD's own.

use std::collections::BTreeMap;

use x509_parser::{
    der_parser::oid,
    oid_registry::Oid,
    prelude::{X509Certificate, X509Version},
};

use super::signed::Name;
use super::{product::Product, report::SigningKey, tcb::Tcb};
use crate::Rejection;

/// The arc of AMD's extensions.
const AMD: Oid<'_> = oid!(1.3.6.1.4.1.3704.1);
const AUTHORITY_KEY_IDENTIFIER: Oid<'_> = oid!(2.5.29.35);
const EC_PUBLIC_KEY: Oid<'_> = oid!(1.2.840.10045.2.1);
const P384: Oid<'_> = oid!(1.3.132.0.34);

/// Below [`AMD`], as OIDs are encoded.
mod extension {
    pub(super) const STRUCT_VERSION: &[u8] = &[1];
    pub(super) const PRODUCT_NAME: &[u8] = &[2];
    pub(super) const BOOTLOADER: &[u8] = &[3, 1];
    pub(super) const TEE: &[u8] = &[3, 2];
    pub(super) const SNP: &[u8] = &[3, 3];
    /// Reserved levels: zero.
    pub(super) const RESERVED: [&[u8]; 4] = [&[3, 4], &[3, 5], &[3, 6], &[3, 7]];
    pub(super) const MICROCODE: &[u8] = &[3, 8];
    pub(super) const FMC: &[u8] = &[3, 9];
    pub(super) const HARDWARE_ID: &[u8] = &[4];
    pub(super) const CSP_ID: &[u8] = &[5];

    pub(super) fn is_known(name: &[u8]) -> bool {
        [
            STRUCT_VERSION,
            PRODUCT_NAME,
            BOOTLOADER,
            TEE,
            SNP,
            MICROCODE,
            FMC,
            HARDWARE_ID,
            CSP_ID,
        ]
        .iter()
        .chain(&RESERVED)
        .any(|known| *known == name)
    }
}

/// What the certificate says. It must not be trusted until its chain is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) product: Product,
    /// Who issued it.
    pub(crate) issuer: Name,
    /// The firmware level from which the key is derived.
    pub(crate) tcb: Tcb,
    /// Chip or cloud provider.
    pub(crate) owner: Owner,
    /// The uncompressed point on P-384, 97 bytes.
    pub(crate) key: Vec<u8>,
}

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// VCEK: the chip with this hardware identity.
    Chip(Vec<u8>),
    /// VLEK: the cloud provider with this name.
    Provider(String),
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Chip(id) => write!(f, "VCEK of chip {}", hex::encode(id)),
            Self::Provider(name) => write!(f, "VLEK of provider {name}"),
        }
    }
}

/// For a report's `SIGNING_KEY`: the certificate's name in messages, and its common name.
pub(crate) fn kind(signing_key: SigningKey) -> Result<(&'static str, &'static str), Rejection> {
    match signing_key {
        SigningKey::Vcek => Ok(("VCEK", "SEV-VCEK")),
        SigningKey::Vlek => Ok(("VLEK", "SEV-VLEK")),
        SigningKey::None => Err(Rejection::ReportUnsigned),
    }
}

impl Leaf {
    /// Reads a certificate in AMD's form; otherwise, what is wrong with it.
    pub(crate) fn read(certificate: &X509Certificate<'_>) -> Result<Self, &'static str> {
        let tbs = &certificate.tbs_certificate;
        if tbs.version != X509Version::V3 {
            return Err("it is not X.509 version 3");
        }
        if tbs.raw_serial() != [0] {
            return Err("its serial number is not zero");
        }
        let subject = Name::parse(&tbs.subject).ok_or("its subject does not have AMD's form")?;
        let issuer = Name::parse(&tbs.issuer).ok_or("its issuer does not have AMD's form")?;
        if subject.organisation != issuer.organisation {
            return Err("its subject and its issuer are different organisations");
        }
        let extensions = Extensions::collect(certificate)?;
        let product = extensions.product()?;
        Ok(Self {
            product,
            issuer,
            tcb: extensions.tcb(product)?,
            owner: extensions.owner(&subject.common_name, product)?,
            key: key(certificate)?,
        })
    }
}

/// The point, if the key is one on P-384.
fn key(certificate: &X509Certificate<'_>) -> Result<Vec<u8>, &'static str> {
    let info = &certificate.tbs_certificate.subject_pki;
    let curve = info
        .algorithm
        .parameters
        .as_ref()
        .and_then(|any| any.as_oid().ok());
    let p384 = info.algorithm.algorithm == EC_PUBLIC_KEY
        && curve == Some(P384)
        && info.subject_public_key.unused_bits == 0;
    if p384 {
        Ok(info.subject_public_key.data.to_vec())
    } else {
        Err("its key is not on P-384")
    }
}

/// AMD's extensions, by the part after their arc.
struct Extensions<'a>(BTreeMap<&'a [u8], &'a [u8]>);

impl<'a> Extensions<'a> {
    fn collect(certificate: &'a X509Certificate<'_>) -> Result<Self, &'static str> {
        let mut extensions = BTreeMap::new();
        for extension in certificate.extensions() {
            let oid = &extension.oid;
            if *oid == AUTHORITY_KEY_IDENTIFIER {
                continue;
            }
            let name = oid
                .as_bytes()
                .strip_prefix(AMD.as_bytes())
                .filter(|name| extension::is_known(name));
            let name = name.ok_or("it has an extension that AMD's certificates do not have")?;
            if extensions.insert(name, extension.value).is_some() {
                return Err("it has an extension twice");
            }
        }
        Ok(Self(extensions))
    }

    fn product(&self) -> Result<Product, &'static str> {
        // "Milan-B0", "Genoa", "Turin"; a VLEK says "Milan".
        let name = self
            .text(extension::PRODUCT_NAME)
            .ok_or("it names no product")?;
        let line = name.split_once('-').map_or(name, |(line, _)| line);
        Product::from_name(line).ok_or("it names an unknown product")
    }

    fn tcb(&self, product: Product) -> Result<Tcb, &'static str> {
        let missing = "a firmware level is missing, or is not a number up to 255";
        let version = self
            .number(extension::STRUCT_VERSION)
            .ok_or("it has no structVersion")?;
        let fmc = self.number(extension::FMC);
        if (version, fmc.is_some())
            != (
                u8::from(product == Product::Turin),
                product == Product::Turin,
            )
        {
            return Err("its structVersion and FMC level do not match its product");
        }
        let reserved = extension::RESERVED
            .iter()
            .any(|name| self.0.contains_key(*name) && self.number(name) != Some(0));
        if reserved {
            return Err("a reserved firmware level is not zero");
        }
        Ok(Tcb {
            fmc,
            bootloader: self.number(extension::BOOTLOADER).ok_or(missing)?,
            tee: self.number(extension::TEE).ok_or(missing)?,
            snp: self.number(extension::SNP).ok_or(missing)?,
            microcode: self.number(extension::MICROCODE).ok_or(missing)?,
        })
    }

    fn owner(&self, common_name: &str, product: Product) -> Result<Owner, &'static str> {
        let hardware_id = self.0.get(extension::HARDWARE_ID);
        let provider = self.0.get(extension::CSP_ID);
        match (common_name, hardware_id, provider) {
            ("SEV-VCEK", Some(id), None) => unwrap_hardware_id(id, product)
                .map(|id| Owner::Chip(id.to_vec()))
                .ok_or("its hardware identity has the wrong length"),
            ("SEV-VLEK", None, Some(_)) => self
                .text(extension::CSP_ID)
                .map(|name| Owner::Provider(name.to_owned()))
                .ok_or("its provider's name is malformed"),
            ("SEV-VCEK" | "SEV-VLEK", ..) => {
                Err("a VCEK names a chip and no provider, a VLEK a provider and no chip")
            }
            _ => Err("it is neither SEV-VCEK nor SEV-VLEK"),
        }
    }

    /// A DER INTEGER from 0 to 255.
    fn number(&self, name: &[u8]) -> Option<u8> {
        match *self.0.get(name)? {
            [0x02, 0x01, value @ 0..=0x7F] | [0x02, 0x02, 0x00, value @ 0x80..=0xFF] => {
                Some(*value)
            }
            _ => None,
        }
    }

    /// A DER `IA5String` of less than 128 characters.
    fn text(&self, name: &[u8]) -> Option<&'a str> {
        match *self.0.get(name)? {
            [0x16, length @ 0..=0x7F, text @ ..] if text.len() == usize::from(*length) => {
                std::str::from_utf8(text)
                    .ok()
                    .filter(|text| text.is_ascii())
            }
            _ => None,
        }
    }
}

/// Older certificates contain the raw identity, newer ones wrap it in a DER OCTET STRING.
fn unwrap_hardware_id(value: &[u8], product: Product) -> Option<&[u8]> {
    let size = product.hardware_id_size();
    match value {
        raw if raw.len() == size => Some(raw),
        [0x04, length, wrapped @ ..] if wrapped.len() == size && usize::from(*length) == size => {
            Some(wrapped)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::x509;

    /// A simulated Genoa's VCEK, as vectors have it.
    const VCEK: &[u8] = include_bytes!("../../../tests/vectors/common/snp/vcek.der");
    /// AMD's arc in DER.
    const ARC: [u8; 8] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01];

    /// What is said of a certificate in which these bytes stand for those.
    fn changed(from: &[u8], to: &[u8]) -> Result<Leaf, &'static str> {
        let mut places = VCEK.windows(from.len());
        let at = places
            .position(|part| part == from)
            .expect("it has these bytes");
        let mut der = VCEK.to_vec();
        der[at..at + to.len()].copy_from_slice(to);
        Leaf::read(&x509::certificate(&der).expect("a certificate"))
    }

    fn oid(end: &[u8]) -> Vec<u8> {
        [&ARC[..], end].concat()
    }

    #[test]
    fn refuses_extensions_that_amds_certificates_do_not_have() {
        let unknown = Err("it has an extension that AMD's certificates do not have");
        assert!(changed(&ARC, &ARC).is_ok());
        assert_eq!(changed(&oid(&[3, 4]), &oid(&[3, 63])), unknown);
        let mut elsewhere = oid(&[3, 4]);
        elsewhere[6] = 0x79;
        assert_eq!(changed(&oid(&[3, 4]), &elsewhere), unknown);
        let twice = Err("it has an extension twice");
        assert_eq!(changed(&oid(&[3, 5]), &oid(&[3, 4])), twice);
    }

    #[test]
    fn refuses_names_of_another_form() {
        let subject = Err("its issuer does not have AMD's form");
        assert_eq!(changed(b"Santa Clara", b"Santa Clarb"), subject);
    }

    type Extension = (&'static [u8], &'static [u8]);

    fn extensions(of: &[Extension]) -> Extensions<'static> {
        Extensions(of.iter().copied().collect())
    }

    #[test]
    fn a_vcek_names_a_chip_and_a_vlek_a_provider() {
        let chip: Extension = (&[4], &[7; 64]);
        let provider: Extension = (&[5], b"\x16\x01a");
        let owner = |of: &[_], name| extensions(of).owner(name, Product::Genoa);
        assert_eq!(owner(&[chip], "SEV-VCEK"), Ok(Owner::Chip(vec![7; 64])));
        assert_eq!(
            owner(&[provider], "SEV-VLEK"),
            Ok(Owner::Provider("a".to_owned()))
        );
        let wrong = Err("a VCEK names a chip and no provider, a VLEK a provider and no chip");
        for name in ["SEV-VCEK", "SEV-VLEK"] {
            assert_eq!(owner(&[chip, provider], name), wrong);
        }
        assert_eq!(owner(&[provider], "SEV-VCEK"), wrong);
        assert_eq!(owner(&[chip], "SEV-VLEK"), wrong);
        let short = owner(&[(&[4], &[7; 63])], "SEV-VCEK");
        assert_eq!(short, Err("its hardware identity has the wrong length"));
    }

    #[test]
    fn the_structure_is_that_of_the_product() {
        let (zero, one): (&[u8], &[u8]) = (&[2, 1, 0], &[2, 1, 1]);
        let levels: [Extension; 4] = [
            (&[3, 1], zero),
            (&[3, 2], zero),
            (&[3, 3], zero),
            (&[3, 8], zero),
        ];
        let tcb = |more: &[Extension], product| {
            extensions(&[&levels[..], more].concat())
                .tcb(product)
                .map(drop)
        };
        let wrong = Err("its structVersion and FMC level do not match its product");
        assert_eq!(tcb(&[(&[1], zero)], Product::Genoa), Ok(()));
        assert_eq!(tcb(&[(&[1], one), (&[3, 9], zero)], Product::Turin), Ok(()));
        assert_eq!(tcb(&[(&[1], one)], Product::Genoa), wrong);
        assert_eq!(tcb(&[(&[1], zero), (&[3, 9], zero)], Product::Genoa), wrong);
        assert_eq!(tcb(&[(&[1], zero)], Product::Turin), wrong);
        assert_eq!(tcb(&[(&[1], one)], Product::Turin), wrong);
    }
}
