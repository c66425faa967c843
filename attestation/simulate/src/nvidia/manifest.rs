//! Reference manifests (RIM) in NVIDIA's form: a SWID tag with an enveloped XML signature.
//!
//! Documents are written in canonical form (W3C Canonical XML 1.1) from the start, so that what is hashed is the text itself and
//! no XML library is needed. The output has its empty elements shortened, as NVIDIA's have, so that verifiers must canonicalise.

use super::reference::{
    DRIVER, DRIVER_INDICES, SWITCH_FIRMWARE, SWITCH_INDICES, VBIOS, VBIOS_INDICES, golden,
};
use crate::Signer;
use chrysalis_attestation::encoding::digest::sha384;
use data_encoding::BASE64;
use std::{collections::BTreeMap, fmt::Write};

/// The root element's declarations, which `SignedInfo` inherits.
const SWID: &str = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
const HASH: &str = "http://www.w3.org/2001/04/xmlenc#sha384";
/// Values that are compared as numbers.
const NUMERIC: &str = "https://docs.nvidia.com/attestation/specs/latest/opaque-data.html";
/// Indices of opaque data begin here.
const OPAQUE_INDICES: usize = 0x1000;
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const TCG: &str = "https://trustedcomputinggroup.org/resource/\
                   tcg-reference-integrity-manifest-rim-information-model/";
/// How the root element declares [`NUMERIC`].
const DECLARED: &str = "xmlns:ns3=";
const CLOSE: &str = "</SoftwareIdentity>";

/// The content of a manifest. Tests may change any of it, or the resulting text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The version of the driver, of the VBIOS or of a switch's firmware.
    pub version: String,
    /// What it is for: `GPU` or `SWITCH`.
    pub edition: String,
    /// The chip.
    pub product: String,
    /// The values that count. All other indices of the 64 are written as inactive.
    pub active: BTreeMap<u8, [u8; 48]>,
    /// The minimum levels of the opaque data, by type; if there are any, the document declares their namespace, like NVIDIA's newer ones.
    pub floors: BTreeMap<u16, u64>,
}

impl Manifest {
    /// A manifest in which these indices have the values that the simulated GPUs report.
    pub fn new(version: &str, active: &[u8]) -> Self {
        Self {
            version: version.to_owned(),
            edition: "GPU".to_owned(),
            product: "GH100".to_owned(),
            active: active
                .iter()
                .map(|index| (*index, golden(*index)))
                .collect(),
            floors: BTreeMap::new(),
        }
    }

    /// The honest driver's.
    pub fn driver() -> Self {
        Self::new(DRIVER, &DRIVER_INDICES)
    }

    /// The honest VBIOS's.
    pub fn vbios() -> Self {
        Self::new(VBIOS, &VBIOS_INDICES)
    }

    /// The honest switch's.
    pub fn switch() -> Self {
        Self {
            edition: "SWITCH".to_owned(),
            product: "LS10".to_owned(),
            ..Self::new(SWITCH_FIRMWARE, &SWITCH_INDICES)
        }
    }

    /// The document without its signature, in canonical form.
    pub fn document(&self) -> String {
        let Self {
            version,
            edition,
            product,
            ..
        } = self;
        let resources = (0..64).fold(String::new(), |mut text, index| {
            let (active, value) = match self.active.get(&index) {
                Some(value) => ("True", *value),
                None => ("False", golden(index)),
            };
            let value = hex::encode(value);
            let _ = writeln!(
                text,
                "<ns0:Resource active=\"{active}\" alternatives=\"1\" index=\"{index}\" name=\"Measurement_{index}\" \
                 size=\"48\" type=\"Measurement\" ns2:Hash0=\"{value}\"></ns0:Resource>"
            );
            text
        });
        let levels = self.floors.iter().fold(String::new(), |mut text, (kind, floor)| {
            let index = OPAQUE_INDICES + usize::from(*kind);
            let _ = writeln!(
                text,
                "<ns0:Resource active=\"True\" index=\"{index}\" name=\"OPAQUE_{kind}_MIN_SVN\" type=\"Measurement\" \
                 ns3:includeInResult=\"True\" ns3:minSvn=\"{floor}\"></ns0:Resource>"
            );
            text
        });
        let numeric = if levels.is_empty() {
            String::new()
        } else {
            format!(" {DECLARED}\"{NUMERIC}\"")
        };
        format!(
            "<SoftwareIdentity xmlns=\"{SWID}\" xmlns:ns0=\"{SWID}\" xmlns:ns2=\"{HASH}\"{numeric} name=\"{product}\">\n\
             <ns0:Entity name=\"Simulated\"></ns0:Entity>\n\
             <ns0:Meta xmlns:ns1=\"{TCG}\" colloquialVersion=\"{version}\" edition=\"{edition}\" product=\"{product}\" \
             ns1:FirmwareManufacturerId=\"5703\"></ns0:Meta>\n\
             <ns0:Payload>\n{resources}{levels}</ns0:Payload>\n{CLOSE}"
        )
    }
}

/// Puts a signature at the end of a canonical document: by the first key of this chain, all of which goes into it.
pub(super) fn sign(document: &str, chain: &[Signer]) -> String {
    let body = document.strip_suffix(CLOSE).unwrap_or(document);
    let digest = BASE64.encode(&sha384(&[document.as_bytes()]));
    // Canonical, as the apex of the signed part: it repeats every declaration in scope.
    let numeric = if document.contains(DECLARED) {
        format!(" {DECLARED}\"{NUMERIC}\"")
    } else {
        String::new()
    };
    let declared = format!(
        " xmlns=\"{SWID}\" xmlns:ds=\"{DSIG}\" xmlns:ns0=\"{SWID}\" xmlns:ns2=\"{HASH}\"{numeric}"
    );
    let signed_info = |declared: &str| {
        let algorithm =
            |name: &str, uri: &str| format!("<ds:{name} Algorithm=\"{uri}\"></ds:{name}>");
        let c14n = "http://www.w3.org/2006/12/xml-c14n11";
        let parts = [
            algorithm("CanonicalizationMethod", c14n),
            algorithm(
                "SignatureMethod",
                "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
            ),
            "<ds:Reference URI=\"\"><ds:Transforms>".to_owned(),
            algorithm("Transform", &format!("{DSIG}enveloped-signature")),
            algorithm("Transform", c14n),
            "</ds:Transforms>".to_owned(),
            algorithm(
                "DigestMethod",
                "http://www.w3.org/2001/04/xmldsig-more#sha384",
            ),
            format!("<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"),
        ]
        .concat();
        format!("<ds:SignedInfo{declared}>{parts}</ds:SignedInfo>")
    };
    let value = chain
        .first()
        .map(|signer| signer.sign_fixed(signed_info(&declared).as_bytes()));
    let value = BASE64.encode(&value.unwrap_or_default());
    let certificates = chain.iter().fold(String::new(), |text, signer| {
        let der = BASE64.encode(&signer.der);
        format!("{text}<ds:X509Certificate>{der}</ds:X509Certificate>")
    });
    let signature = format!(
        "<ds:Signature xmlns:ds=\"{DSIG}\">{}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>\
         {certificates}</ds:X509Data></ds:KeyInfo></ds:Signature>",
        signed_info("")
    );
    shortened(&format!("{body}{signature}{CLOSE}"))
}

/// Shortens empty elements, as NVIDIA's writer does.
fn shortened(text: &str) -> String {
    [
        "ns0:Resource",
        "ns0:Entity",
        "ns0:Meta",
        "ds:Transform",
        "ds:DigestMethod",
    ]
    .iter()
    .chain(&["ds:CanonicalizationMethod", "ds:SignatureMethod"])
    .fold(text.to_owned(), |text, name| {
        text.replace(&format!("></{name}>"), "/>")
    })
}
