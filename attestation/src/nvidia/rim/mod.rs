//! Reference integrity manifests: the measurements that NVIDIA publishes for a driver or VBIOS. A SWID tag with an XML signature.
//!
//! The order matters: read the XML, take the signature out, validate its chain up to the pinned root, check the digest of what is
//! left and the signature by that chain's leaf, and only then read the content, from the very tree that was digested.

mod answer;
mod canonical;
mod content;
mod id;
mod signature;
mod xml;

use self::signature::Signature;
use super::{
    certificate::{Certificate, Signatures},
    chain::{check_links, check_periods, first_end},
    roots::{NvidiaRoots, Purpose},
};
use std::{collections::BTreeMap, sync::Arc};

use crate::{Memory, Rejection, Time};

pub use answer::{Answered, is_answer, of_answer};
#[cfg(test)]
pub(crate) use content::Floor;
pub(crate) use content::{Content, Floors, Golden, OPAQUE_INDICES};
pub use id::{driver_rim_id, switch_rim_id, vbios_rim_id};
pub use xml::MAX_RIM_SIZE;

/// A RIM's chain has exactly this many certificates.
const CHAIN_LENGTH: usize = 4;
/// What a verifier remembers of one.
const MANIFEST: &str = "manifest";
/// The certificates' names in messages, leaf first.
const NAMES: [&str; CHAIN_LENGTH] = [
    "RIM signer",
    "RIM intermediate",
    "RIM authority",
    "RIM root",
];

/// A RIM that NVIDIA signed: what a store needs to know before it keeps one.
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
    /// The minimum levels that it requires in the report's opaque data, by type.
    pub floors: BTreeMap<u16, u64>,
    /// When the first of its certificates expires.
    pub until: Time,
    /// Whether its root is a simulated one.
    pub simulated: bool,
}

/// Verifies one RIM by itself: form, chain, signature, content. Revocation and the comparison with the GPU are separate checks.
pub fn verify(bytes: &[u8], roots: &NvidiaRoots, now: Time) -> Result<Rim, Rejection> {
    let document = Document::parse(bytes)?;
    let chain = document.chain(roots, now, &mut Signatures::default())?;
    let Content {
        version,
        product,
        edition,
        golden,
        floors,
    } = &*document.open(&chain, &Memory::none())?;
    let floors = floors.iter().map(|(kind, floor)| (*kind, floor.minimum));
    Ok(Rim {
        version: version.clone(),
        product: product.clone(),
        edition: edition.clone(),
        active: golden.keys().copied().collect(),
        floors: floors.collect(),
        until: chain.until,
        simulated: chain.simulated,
    })
}

/// A RIM that could be read. Its chain is not verified.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    bytes: &'a [u8],
    form: Form<'a>,
}

#[derive(Debug)]
enum Form<'a> {
    /// Nothing in it is verified.
    Read(Box<Parsed<'a>>),
    /// The first of its certificates is known to have signed it.
    Known(Arc<Signed>),
}

#[derive(Debug)]
struct Parsed<'a> {
    /// The document without the signature.
    root: xml::Element<'a>,
    signature: Signature,
}

/// What a document says that the first of the certificates in it signed, each of which the next one issued.
#[derive(Debug)]
struct Signed {
    claimed_version: Option<String>,
    claimed_edition: Option<String>,
    certificates: Arc<Certificates>,
    content: Arc<Content>,
}

/// Leaf first.
type Certificates = [Certificate; CHAIN_LENGTH];

/// A chain that descends from an accepted root.
#[derive(Debug)]
pub(crate) struct RimChain {
    certificates: Arc<Certificates>,
    pub(crate) simulated: bool,
    /// When the first of its certificates expires.
    pub(crate) until: Time,
}

impl<'a> Document<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let mut root = xml::parse(bytes)?;
        let signature = Signature::detach(&mut root)?;
        let form = Form::Read(Box::new(Parsed { root, signature }));
        Ok(Self { bytes, form })
    }

    /// The same, without reading it again if it is remembered.
    pub(crate) fn recall(bytes: &'a [u8], memory: &Memory) -> Result<Self, Rejection> {
        match memory.recall(MANIFEST, &[bytes]) {
            Some(known) => Ok(Self {
                bytes,
                form: Form::Known(known),
            }),
            None => Self::parse(bytes),
        }
    }

    /// The version that it claims, used to choose among several. Not verified.
    pub(crate) fn claimed_version(&self) -> Option<&str> {
        match &self.form {
            Form::Read(parsed) => Content::claimed(&parsed.root, "colloquialVersion"),
            Form::Known(known) => known.claimed_version.as_deref(),
        }
    }

    /// `GPU` or `SWITCH`, as it claims. Not verified.
    pub(crate) fn claimed_edition(&self) -> Option<&str> {
        match &self.form {
            Form::Read(parsed) => Content::claimed(&parsed.root, "edition"),
            Form::Known(known) => known.claimed_edition.as_deref(),
        }
    }

    /// The certificates in the signature, DER, leaf first. Not verified.
    pub(crate) fn supplied_chain(&self) -> Vec<&[u8]> {
        match &self.form {
            Form::Read(parsed) => parsed
                .signature
                .certificates
                .iter()
                .map(Vec::as_slice)
                .collect(),
            Form::Known(known) => known
                .certificates
                .iter()
                .map(|it| it.der.as_slice())
                .collect(),
        }
    }

    /// Verifies the chain of certificates in the signature.
    pub(crate) fn chain(
        &self,
        roots: &NvidiaRoots,
        now: Time,
        signatures: &mut Signatures,
    ) -> Result<RimChain, Rejection> {
        let (certificates, simulated) = match &self.form {
            Form::Read(parsed) => read(&parsed.signature.certificates, roots)?,
            Form::Known(known) => {
                let [.., root] = &*known.certificates;
                let simulated = roots.admit(Purpose::Rim, root)?;
                (known.certificates.clone(), simulated)
            }
        };
        check_periods(&*certificates, now)?;
        // What is remembered has passed this, and always will.
        if let Form::Read(_) = self.form {
            check_links(&*certificates, signatures)?;
            let [leaf, ..] = &*certificates;
            leaf.check_end_entity()?;
        }
        Ok(RimChain {
            simulated,
            until: first_end(&*certificates),
            certificates,
        })
    }

    /// The RIM's content, if the leaf of this chain, which is its own, signed it.
    pub(crate) fn open(
        &self,
        chain: &RimChain,
        memory: &Memory,
    ) -> Result<Arc<Content>, Rejection> {
        let Parsed { root, signature } = match &self.form {
            Form::Known(known) => return Ok(known.content.clone()),
            Form::Read(parsed) => &**parsed,
        };
        let [leaf, ..] = &*chain.certificates;
        signature.verify(root, leaf)?;
        let content = Arc::new(Content::read(root)?);
        let signed = Signed {
            claimed_version: self.claimed_version().map(str::to_owned),
            claimed_edition: self.claimed_edition().map(str::to_owned),
            certificates: chain.certificates.clone(),
            content: content.clone(),
        };
        memory.keep(MANIFEST, &[self.bytes], &Arc::new(signed));
        Ok(content)
    }
}

/// Reads a signature's certificates, and whether the last of them, an accepted root, is simulated.
fn read(supplied: &[Vec<u8>], roots: &NvidiaRoots) -> Result<(Arc<Certificates>, bool), Rejection> {
    let wrong_length = Rejection::RimChainLength {
        found: supplied.len(),
    };
    let [a, b, c, d] = NAMES;
    let [.., root] = supplied else {
        return Err(wrong_length);
    };
    // First of all: whose root is it?
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
    Ok((Arc::new(certificates), simulated))
}

impl RimChain {
    /// The certificates that NVIDIA's responder knows, each with its issuer. The root is pinned.
    pub(crate) fn revocable(&self) -> [(&Certificate, &Certificate); 3] {
        let [leaf, intermediate, authority, root] = &*self.certificates;
        [
            (leaf, intermediate),
            (intermediate, authority),
            (authority, root),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{xml::Scope, *};

    #[test]
    fn canonical_xml_is_that_of_an_independent_implementation() {
        let rims = "nvidia/h100-550.90.07/rim";
        let Some(folder) = chrysalis_test_support::real(&[&format!("{rims}/c14n")]) else {
            return;
        };
        let folder = folder.join(rims);
        for name in [
            "NV_GPU_DRIVER_GH100_550.90.07.swidtag",
            "NV_GPU_VBIOS_1010_0200_882_96009F0001.swidtag",
        ] {
            let read = |name: &str| fs::read(folder.join(name)).expect(name);
            let bytes = read(name);
            let document = Document::parse(&bytes).expect(name);
            let Form::Read(parsed) = &document.form else {
                panic!("nothing is remembered");
            };
            let Parsed { root, signature } = &**parsed;
            let whole = canonical::canonical(root, &Scope::new());
            assert_eq!(
                whole.as_bytes(),
                read(&format!("c14n/{name}.doc.c14n")),
                "{name}"
            );
            let signed = signature.signed_info();
            assert_eq!(
                signed.as_bytes(),
                read(&format!("c14n/{name}.signedinfo.c14n")),
                "{name}"
            );
        }
    }
}
