//! The one form of XML signature that NVIDIA's RIMs have, and no other.
//!
//! A single enveloped signature over the whole document, canonical XML 1.1, SHA-384, ECDSA on P-384, and one list of
//! certificates. Every element and attribute is expected by name; everything else that XML signatures can do is refused.

use super::{
    canonical::canonical,
    xml::{Element, Node, Scope},
};
use crate::{
    Rejection,
    encoding::{base64, digest::sha384},
    nvidia::certificate::{Certificate, MAX_CERTIFICATE_SIZE, SIGNATURE_SIZE},
    transcript::ensure,
};

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const CANONICAL_XML_11: &str = "http://www.w3.org/2006/12/xml-c14n11";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const ECDSA_SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384";
const SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#sha384";
/// NVIDIA's RIMs have four.
const MAX_CERTIFICATES: usize = 8;

/// A signature taken out of its document. Nothing in it is verified yet.
#[derive(Debug)]
pub(super) struct Signature {
    digest: [u8; 48],
    /// `SignedInfo` in canonical form: what the key signed.
    signed_info: String,
    value: [u8; SIGNATURE_SIZE],
    /// DER, leaf first.
    pub(super) certificates: Vec<Vec<u8>>,
}

impl Signature {
    /// Takes the signature out of `root`, as the enveloped-signature transform does, and reads it.
    pub(super) fn detach(root: &mut Element<'_>) -> Result<Self, Rejection> {
        let last = root
            .children
            .iter()
            .rposition(|child| matches!(child, Node::Element(_)));
        let last = last.ok_or_else(|| refuse("there is none"))?;
        let Node::Element(signature) = root.children.remove(last) else {
            return Err(refuse("there is none"));
        };
        if !signature.is(DSIG, "Signature") {
            return Err(refuse("it is not the last element of the document"));
        }
        if holds_signature_parts(root) {
            return Err(refuse(
                "there are parts of another signature in the content",
            ));
        }
        let mut scope = root.declared.clone();
        scope.extend(&signature.declared);
        Self::read(&signature, &scope)
    }

    fn read(signature: &Element<'_>, scope: &Scope<'_>) -> Result<Self, Rejection> {
        let [signed_info, value, key_info] =
            parts(signature, ["SignedInfo", "SignatureValue", "KeyInfo"])?;
        let [canonicalization, method, reference] = parts(
            signed_info,
            ["CanonicalizationMethod", "SignatureMethod", "Reference"],
        )?;
        algorithm(canonicalization, CANONICAL_XML_11)?;
        algorithm(method, ECDSA_SHA384)?;
        // An empty URI refers to the document that contains the signature.
        only_attribute(reference, "URI", "")?;
        let [transforms, digest_method, digest] =
            children(reference, ["Transforms", "DigestMethod", "DigestValue"])?;
        let [first, second] = parts(transforms, ["Transform", "Transform"])?;
        algorithm(first, ENVELOPED)?;
        algorithm(second, CANONICAL_XML_11)?;
        algorithm(digest_method, SHA384)?;
        Ok(Self {
            digest: binary(digest)?
                .try_into()
                .map_err(|_| refuse("its digest is not 48 bytes"))?,
            signed_info: canonical(signed_info, scope),
            value: binary(value)?
                .try_into()
                .map_err(|_| refuse("its value is not 96 bytes"))?,
            certificates: certificates(key_info)?,
        })
    }

    /// Checks that `leaf`, from a validated chain, signed the rest of the document.
    pub(super) fn verify(
        &self,
        document: &Element<'_>,
        leaf: &Certificate,
    ) -> Result<(), Rejection> {
        if sha384(&[canonical(document, &Scope::new()).as_bytes()]) != self.digest {
            return Err(Rejection::RimDigest);
        }
        let signed = leaf.signed_fixed(self.signed_info.as_bytes(), &self.value);
        ensure(signed, || Rejection::RimSignature)
    }

    #[cfg(test)]
    pub(super) fn signed_info(&self) -> &str {
        &self.signed_info
    }
}

/// Only certificates: a bare key would bypass the chain.
fn certificates(key_info: &Element<'_>) -> Result<Vec<Vec<u8>>, Rejection> {
    let [data] = parts(key_info, ["X509Data"])?;
    let elements = data.elements().unwrap_or_default();
    let plain = data.attributes.is_empty()
        && elements
            .iter()
            .all(|it| it.is(DSIG, "X509Certificate") && it.attributes.is_empty());
    if !plain || elements.is_empty() || elements.len() > MAX_CERTIFICATES {
        return Err(refuse("its key is not given as one list of certificates"));
    }
    let certificates = elements
        .into_iter()
        .map(binary)
        .collect::<Result<Vec<_>, _>>()?;
    let bounded = certificates
        .iter()
        .all(|it| it.len() <= MAX_CERTIFICATE_SIZE);
    ensure(bounded, || refuse("a certificate is too large"))?;
    Ok(certificates)
}

fn holds_signature_parts(element: &Element<'_>) -> bool {
    element.name.namespace == Some(DSIG)
        || element
            .children
            .iter()
            .any(|it| matches!(it, Node::Element(it) if holds_signature_parts(it)))
}

/// The children of an element without attributes, which must have exactly these names.
fn parts<'e, 'a, const N: usize>(
    element: &'e Element<'a>,
    names: [&str; N],
) -> Result<[&'e Element<'a>; N], Rejection> {
    if !element.attributes.is_empty() {
        return Err(refuse("an element has an attribute that RIMs do not have"));
    }
    children(element, names)
}

fn children<'e, 'a, const N: usize>(
    element: &'e Element<'a>,
    names: [&str; N],
) -> Result<[&'e Element<'a>; N], Rejection> {
    let found = element
        .elements()
        .ok_or_else(|| refuse("there is text between its elements"))?;
    let found: [&Element<'_>; N] = found
        .try_into()
        .map_err(|_| refuse("it has more or fewer elements than RIMs have"))?;
    let expected = found
        .iter()
        .zip(names)
        .all(|(element, name)| element.is(DSIG, name));
    ensure(expected, || {
        refuse("it has an element that RIMs do not have")
    })?;
    Ok(found)
}

/// An empty element that names an algorithm, which must be this one.
fn algorithm(element: &Element<'_>, uri: &str) -> Result<(), Rejection> {
    only_attribute(element, "Algorithm", uri)?;
    children(element, []).map(|[]| ())
}

fn only_attribute(element: &Element<'_>, name: &str, value: &str) -> Result<(), Rejection> {
    let only = element.attributes.len() == 1 && element.attribute(name) == Some(value);
    ensure(only, || {
        refuse("it uses an algorithm or reference that RIMs do not use")
    })
}

fn binary(element: &Element<'_>) -> Result<Vec<u8>, Rejection> {
    let text = element.text().filter(|_| element.attributes.is_empty());
    text.and_then(base64::decode_lines)
        .ok_or_else(|| refuse("a value is not base64"))
}

fn refuse(what: &'static str) -> Rejection {
    Rejection::RimSignatureProfile { what }
}
