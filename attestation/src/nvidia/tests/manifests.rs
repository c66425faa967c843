//! Manifests that are signed and still wrong, and signatures that are not of the one form.

use super::vendor::{NOW, Signer, Vendor, authority, manifest, signer};
use crate::{
    Rejection,
    nvidia::{Roots, measurements::Indices, rim},
};

fn refused(vendor: &Vendor, text: &str) -> Option<Rejection> {
    rim::verify(text.as_bytes(), &vendor.roots(), NOW).err()
}

fn code(vendor: &Vendor, text: &str) -> Option<&'static str> {
    refused(vendor, text).map(|it| it.code())
}

#[test]
fn content_is_checked_though_it_is_signed() {
    let vendor = Vendor::new();
    let good = manifest("550.90.07", &[1, 2]);
    assert_eq!(code(&vendor, &vendor.signed(&good)), None);
    for (from, to) in [
        ("active=\"True\"", "active=\"true\""),
        ("active=\"True\"", "active=\"False\""),
        ("alternatives=\"1\"", "alternatives=\"2\""),
        ("alternatives=\"1\"", "alternatives=\"0\""),
        ("alternatives=\"1\"", "alternatives=\"01\""),
        ("size=\"48\"", "size=\"32\""),
        ("index=\"63\"", "index=\"64\""),
        ("index=\"63\"", "index=\"-1\""),
        ("ns2:Hash0=\"07", "ns2:Hash0=\""),
        ("ns2:Hash0=\"07", "ns2:Hash0=\"zz"),
        ("ns2:Hash0", "Hash0"),
        ("ns2:Hash0", "ns2:Hash1"),
        ("type=\"Measurement\"", "type=\"Other\""),
        ("<ns0:Payload>", "<ns0:Payload>text"),
        ("<ns0:Payload>", "<ns0:Payload><ns0:File/>"),
        ("<ns0:Entity name=\"Simulated\"/>", ""),
        ("<ns0:Entity name=\"Simulated\"/>", "<ns0:Link/>"),
        (
            "ns1:FirmwareManufacturerId=\"5703\"",
            "ns1:FirmwareManufacturerId=\"1\"",
        ),
        ("edition=\"GPU\" ", ""),
        (" name=\"GH100\">", " name=\"GH100\">text"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from}");
        assert_eq!(
            code(&vendor, &vendor.signed(&bad)),
            Some("rim_content"),
            "{from} → {to}"
        );
    }
    let twice = good.replace("index=\"63\"", "index=\"62\"");
    assert_eq!(
        refused(&vendor, &vendor.signed(&twice)),
        Some(Rejection::RimDuplicateIndex { index: 62 })
    );
}

#[test]
fn only_the_one_form_of_signature_is_accepted() {
    let vendor = Vendor::new();
    let good = vendor.manifest("550.90.07", &[1, 2]);
    let some_key = "<ds:KeyValue/><ds:X509Data>";
    for (from, to) in [
        (
            "xml-c14n11\"/><ds:SignatureMethod",
            "xml-c14n\"/><ds:SignatureMethod",
        ),
        ("#ecdsa-sha384", "#ecdsa-sha256"),
        ("xmldsig-more#sha384", "xmlenc#sha256"),
        (
            "#enveloped-signature\"/>",
            "#enveloped-signature\"><ds:XPath/></ds:Transform>",
        ),
        ("URI=\"\"", "URI=\"#part\""),
        ("URI=\"\"", "URI=\"\" Type=\"x\""),
        (
            "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>",
            "",
        ),
        ("<ds:X509Data>", some_key),
        ("<ds:KeyInfo>", "<ds:KeyInfo Id=\"a\">"),
        ("</ds:X509Data>", "</ds:X509Data><ds:X509Data/>"),
        ("</ds:X509Data>", "<ds:X509SubjectName/></ds:X509Data>"),
        ("</ds:KeyInfo>", "</ds:KeyInfo><ds:Object/>"),
        ("<ds:SignedInfo>", "text<ds:SignedInfo>"),
        ("<ds:Signature ", "<ds:Signature Id=\"a\" "),
        ("</SoftwareIdentity>", "<ns0:Link/></SoftwareIdentity>"),
        (
            "<ns0:Payload>",
            "<ns0:Payload><ds:Object xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/>",
        ),
        ("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"),
        ("<ds:SignatureValue>", "<ds:SignatureValue>!"),
        ("<ds:DigestValue>", "<ds:DigestValue>AAAA"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert_eq!(
            code(&vendor, &bad),
            Some("rim_signature_profile"),
            "{from} → {to}"
        );
    }
    let unsigned = manifest("550.90.07", &[1]);
    assert_eq!(code(&vendor, &unsigned), Some("rim_signature_profile"));
}

#[test]
fn an_element_hidden_in_the_signature_is_not_content() {
    let vendor = Vendor::new();
    let good = vendor.manifest("550.90.07", &[1, 2]);
    let hidden = "<ds:Object><ns0:Payload><ns0:Resource type=\"Measurement\"/></ns0:Payload></ds:Object></ds:Signature>";
    let wrapped = good.replace("</ds:Signature>", hidden);
    assert_eq!(code(&vendor, &wrapped), Some("rim_signature_profile"));
}

#[test]
fn a_change_breaks_digest_or_signature() {
    let vendor = Vendor::new();
    let good = vendor.manifest("550.90.07", &[1, 2]);
    let changed = good.replacen("active=\"False\"", "active=\"True\"", 1);
    assert_eq!(refused(&vendor, &changed), Some(Rejection::RimDigest));
    // The digest follows the change, so the signature no longer does.
    let other = vendor.manifest("550.90.07", &[1, 2, 3]);
    let value = |text: &str| {
        let (_, rest) = text.split_once("<ds:SignatureValue>").expect("a signature");
        rest.split_once("</ds:SignatureValue>")
            .expect("a signature")
            .0
            .to_owned()
    };
    let spliced = other.replace(&value(&other), &value(&good));
    assert_eq!(refused(&vendor, &spliced), Some(Rejection::RimSignature));
}

#[test]
fn the_key_is_that_of_the_validated_chain() {
    let vendor = Vendor::new();
    // Somebody else's key, under somebody else's root of the same names.
    let other = Vendor::new().manifest("550.90.07", &[1]);
    assert_eq!(code(&vendor, &other), Some("gpu_simulated_root_refused"));
    let refused = rim::verify(other.as_bytes(), &Roots::nvidia(), NOW).map_err(|it| it.code());
    assert_eq!(refused, Err("gpu_simulated_root_refused"));

    // A key that may not sign, and a chain that is too long or too short.
    let mut vendor = Vendor::new();
    vendor.rim[0] = Signer::issue("HCC RIM L4 Signer", Some(&vendor.rim[1]), |_| ());
    assert_eq!(
        code(&vendor, &vendor.manifest("550.90.07", &[1])),
        Some("nvidia_certificate_profile")
    );
    let mut vendor = Vendor::new();
    let root = vendor.rim.remove(3);
    vendor.rim[2] = Signer::issue("NVIDIA Reference Value GH100 CA", Some(&root), authority);
    let between = Signer::issue(
        "NVIDIA Reference Value L3 GH100 001",
        Some(&vendor.rim[2]),
        authority,
    );
    vendor.rim = vec![
        Signer::issue("HCC RIM L4 Signer", Some(&between), signer),
        between,
        vendor.rim.remove(2),
        root,
    ];
    assert_eq!(code(&vendor, &vendor.manifest("550.90.07", &[1])), None);
    vendor.rim.remove(1);
    assert_eq!(
        refused_length(&vendor),
        Some(Rejection::RimChainLength { found: 3 })
    );
}

fn refused_length(vendor: &Vendor) -> Option<Rejection> {
    refused(vendor, &vendor.manifest("550.90.07", &[1]))
}

#[test]
fn manifests_and_measurements_belong_together() {
    let vendor = Vendor::new();
    let mut case = vendor.case().without_revocation();
    let good = case.collateral.rims.clone();
    assert!(case.verify().is_ok());

    case.collateral.rims[1] = vendor.manifest("96.00.9F.00.01", &[2, 4]).into_bytes();
    assert_eq!(case.verify(), Err(Rejection::RimIndexConflict { index: 2 }));

    let other_value =
        manifest("96.00.9F.00.01", &[3, 4]).replace(&hex::encode([7; 48]), &hex::encode([8; 48]));
    case.collateral.rims[1] = vendor.signed(&other_value).into_bytes();
    let indices = Indices(vec![3, 4]);
    assert_eq!(
        case.verify(),
        Err(Rejection::MeasurementMismatch {
            kind: "VBIOS",
            indices
        })
    );

    let other_chip =
        manifest("96.00.9F.00.01", &[3]).replace("product=\"GH100\"", "product=\"GB100\"");
    case.collateral.rims[1] = vendor.signed(&other_chip).into_bytes();
    assert_eq!(
        case.verify(),
        Err(Rejection::RimProductMismatch {
            found: "GPU GB100".to_owned()
        })
    );

    // The decoder's index counts only while the decoder is on.
    case.collateral.rims = good;
    let decoder = manifest("550.90.07", &[1, 35]);
    let (before, after) = decoder.split_at(decoder.find("index=\"35\"").expect("index 35"));
    let wrong = format!(
        "{before}{}",
        after.replacen(&hex::encode([7; 48]), &hex::encode([8; 48]), 1)
    );
    case.collateral.rims[0] = vendor.signed(&wrong).into_bytes();
    let indices = Indices(vec![35]);
    assert_eq!(
        case.verify(),
        Err(Rejection::MeasurementMismatch {
            kind: "driver",
            indices
        })
    );
    case.evidence = vec![vendor.gpu(|fields| drop(fields.insert(11, vec![0x55])))];
    assert!(case.verify().is_ok());
}
