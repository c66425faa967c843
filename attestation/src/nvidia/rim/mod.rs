//! Reference integrity manifests: what NVIDIA says that a driver or VBIOS measures. A SWID tag with an XML signature.
//!
//! The order is the point: read the XML, take the signature out, validate its chain up to the pinned root, check the digest
//! of what is left and the signature by that chain's leaf, and only then read the content, from the tree that was digested.

mod answer;
mod canonical;
mod content;
mod id;
mod signature;
mod xml;

use self::signature::Signature;
use super::{
    certificate::{Certificate, Signatures},
    chain::{check_chain, first_end},
    roots::{NvidiaRoots, Purpose},
};
use std::collections::BTreeMap;

use crate::{Rejection, Time};

pub use answer::{Answered, is_answer, of_answer};
#[cfg(test)]
pub(crate) use content::Floor;
pub(crate) use content::{Content, Floors, Golden, OPAQUE_INDICES};
pub use id::{driver_rim_id, switch_rim_id, vbios_rim_id};
pub use xml::MAX_RIM_SIZE;

/// A RIM's chain has exactly that many certificates.
const CHAIN_LENGTH: usize = 4;
/// What the certificates are called in messages, leaf first.
const NAMES: [&str; CHAIN_LENGTH] = [
    "RIM signer",
    "RIM intermediate",
    "RIM authority",
    "RIM root",
];

/// A RIM that NVIDIA signed: what a folder of them wants to know before it keeps one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rim {
    /// Of the driver or of the VBIOS.
    pub version: String,
    /// The chip, such as `GH100`.
    pub product: String,
    /// `GPU` or `SWITCH`.
    pub edition: String,
    /// Which indices have values.
    pub active: Vec<u8>,
    /// The least levels that it wants of the report's opaque data, by type.
    pub floors: BTreeMap<u16, u64>,
    /// When the first of its certificates ends.
    pub until: Time,
    /// Whether its root is a simulated one.
    pub simulated: bool,
}

/// Verifies one RIM by itself: form, chain, signature, content. Revocation and the GPU are other checks.
pub fn verify(bytes: &[u8], roots: &NvidiaRoots, now: Time) -> Result<Rim, Rejection> {
    let document = Document::parse(bytes)?;
    let chain = document.chain(roots, now, &mut Signatures::default())?;
    let Content {
        version,
        product,
        edition,
        golden,
        floors,
    } = document.open(&chain)?;
    let floors = floors
        .into_iter()
        .map(|(kind, floor)| (kind, floor.minimum))
        .collect();
    let active = golden.into_keys().collect();
    Ok(Rim {
        version,
        product,
        edition,
        active,
        floors,
        until: chain.until,
        simulated: chain.simulated,
    })
}

/// A RIM that could be read. Nothing in it is verified.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    /// Without the signature.
    root: xml::Element<'a>,
    signature: Signature,
}

/// A chain that descends from an accepted root.
#[derive(Debug)]
pub(crate) struct RimChain<'a> {
    certificates: [Certificate<'a>; CHAIN_LENGTH],
    pub(crate) simulated: bool,
    /// When the first of its certificates ends.
    pub(crate) until: Time,
}

impl<'a> Document<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let mut root = xml::parse(bytes)?;
        let signature = Signature::detach(&mut root)?;
        Ok(Self { root, signature })
    }

    /// The version that it claims, for choosing among several. Not verified.
    pub(crate) fn claimed_version(&self) -> Option<&'a str> {
        Content::claimed(&self.root, "colloquialVersion")
    }

    /// `GPU` or `SWITCH`, as it claims. Not verified.
    pub(crate) fn claimed_edition(&self) -> Option<&'a str> {
        Content::claimed(&self.root, "edition")
    }

    /// The certificates that the signature brings, DER, leaf first. Not verified.
    pub(crate) fn supplied_chain(&self) -> &[Vec<u8>] {
        &self.signature.certificates
    }

    /// Verifies the chain of certificates that the signature brings.
    pub(crate) fn chain(
        &self,
        roots: &NvidiaRoots,
        now: Time,
        signatures: &mut Signatures,
    ) -> Result<RimChain<'_>, Rejection> {
        let supplied = &self.signature.certificates[..];
        let wrong_length = Rejection::RimChainLength {
            found: supplied.len(),
        };
        let [a, b, c, d] = NAMES;
        let [.., root] = supplied else {
            return Err(wrong_length);
        };
        // First of all: whose is it?
        let root = Certificate::parse(root, d)?;
        let simulated = roots.admit(Purpose::Rim, &root)?;
        let [leaf, intermediate, authority, _] = supplied else {
            return Err(wrong_length);
        };
        let certificates = [
            Certificate::parse(leaf, a)?,
            Certificate::parse(intermediate, b)?,
            Certificate::parse(authority, c)?,
            root,
        ];
        let [leaf, ..] = &certificates;
        check_chain(&certificates, now, signatures)?;
        leaf.check_end_entity()?;
        Ok(RimChain {
            simulated,
            until: first_end(&certificates),
            certificates,
        })
    }

    /// What the RIM says, if the leaf of this chain signed it.
    pub(crate) fn open(&self, chain: &RimChain<'_>) -> Result<Content, Rejection> {
        let [leaf, ..] = &chain.certificates;
        self.signature.verify(&self.root, leaf)?;
        Content::read(&self.root)
    }
}

impl<'a> RimChain<'a> {
    /// Those that NVIDIA's responder knows, each with its issuer. The root is pinned.
    pub(crate) fn revocable(&self) -> [(&Certificate<'a>, &Certificate<'a>); 3] {
        let [leaf, intermediate, authority, root] = &self.certificates;
        [
            (leaf, intermediate),
            (intermediate, authority),
            (authority, root),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{xml::Scope, *};

    #[test]
    fn canonical_xml_is_that_of_an_independent_implementation() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../shared/vectors/nvidia/h100-550.90.07/rim");
        if !folder.exists() {
            println!("skipped: no vectors");
            return;
        }
        for name in [
            "NV_GPU_DRIVER_GH100_550.90.07.swidtag",
            "NV_GPU_VBIOS_1010_0200_882_96009F0001.swidtag",
        ] {
            let read = |name: &str| fs::read(folder.join(name)).expect(name);
            let bytes = read(name);
            let document = Document::parse(&bytes).expect(name);
            let whole = canonical::canonical(&document.root, &Scope::new());
            assert_eq!(
                whole.as_bytes(),
                read(&format!("c14n/{name}.doc.c14n")),
                "{name}"
            );
            let signed = document.signature.signed_info();
            assert_eq!(
                signed.as_bytes(),
                read(&format!("c14n/{name}.signedinfo.c14n")),
                "{name}"
            );
        }
    }
}
