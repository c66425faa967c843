//! Manifests that are signed and still wrong, and signatures that are not of the one form.

use chrysalis_attestation::{
    Rejection,
    nvidia::{NvidiaRoots, indices::Indices, rim},
};
use chrysalis_simulate::{
    Nvidia, Purpose,
    nvidia::{DRIVER, Manifest, VBIOS, golden, opaque},
};

use super::scene::{NOW, Scene, impostor, profile};

fn vendor() -> Nvidia {
    Scene::new().nvidia
}

/// A signed manifest in which these indices are active.
fn signed(vendor: &Nvidia, version: &str, active: &[u8]) -> String {
    resigned(vendor, &Manifest::new(version, active).document())
}

/// Signs a text, which must be in canonical form, whatever it says.
fn resigned(vendor: &Nvidia, document: &str) -> String {
    String::from_utf8(vendor.sign_manifest(document)).expect("text")
}

fn refused(vendor: &Nvidia, text: &str) -> Option<Rejection> {
    rim::verify(text.as_bytes(), &vendor.roots(), NOW).err()
}

fn code(vendor: &Nvidia, text: &str) -> Option<&'static str> {
    refused(vendor, text).map(|it| it.code())
}

#[test]
fn content_is_checked_though_it_is_signed() {
    let vendor = vendor();
    let good = Manifest::new(DRIVER, &[1, 2]).document();
    assert_eq!(code(&vendor, &resigned(&vendor, &good)), None);
    let value = hex::encode(golden(1));
    let begins = format!("ns2:Hash0=\"{}", &value[..2]);
    let first = good
        .lines()
        .find(|line| line.contains(&value))
        .expect("index 1");
    let first_without = first
        .replace(&format!(" ns2:Hash0=\"{value}\""), "")
        .replace(" active=", &format!(" Hash0=\"{value}\" active="));
    for (from, to) in [
        ("active=\"True\"", "active=\"true\""),
        ("active=\"True\"", "active=\"False\""),
        ("alternatives=\"1\"", "alternatives=\"2\""),
        ("alternatives=\"1\"", "alternatives=\"0\""),
        ("alternatives=\"1\"", "alternatives=\"01\""),
        ("size=\"48\"", "size=\"32\""),
        ("index=\"63\"", "index=\"64\""),
        ("index=\"63\"", "index=\"-1\""),
        (&*begins, "ns2:Hash0=\""),
        (&*begins, "ns2:Hash0=\"zz"),
        // Hash0 in no namespace. Canonical order puts it first.
        (first, &*first_without),
        ("ns2:Hash0", "ns2:Hash1"),
        ("type=\"Measurement\"", "type=\"Other\""),
        ("<ns0:Payload>", "<ns0:Payload>text"),
        ("<ns0:Payload>", "<ns0:Payload><ns0:File></ns0:File>"),
        ("<ns0:Entity name=\"Simulated\"></ns0:Entity>", ""),
        (
            "<ns0:Entity name=\"Simulated\"></ns0:Entity>",
            "<ns0:Link></ns0:Link>",
        ),
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
            code(&vendor, &resigned(&vendor, &bad)),
            Some("rim_content"),
            "{from} → {to}"
        );
    }
    let twice = good.replace("index=\"63\"", "index=\"62\"");
    assert_eq!(
        refused(&vendor, &resigned(&vendor, &twice)),
        Some(Rejection::RimDuplicateIndex { index: 62 })
    );
}

#[test]
fn only_the_one_form_of_signature_is_accepted() {
    let vendor = vendor();
    let good = signed(&vendor, DRIVER, &[1, 2]);
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
        (
            "xml-c14n11\"/></ds:Transforms>",
            "xml-c14n\"/></ds:Transforms>",
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
    // Parts that are all there, in an element of another name. Nothing signs that name.
    let signature = good
        .replace("<ds:Signature ", "<ds:Manifest ")
        .replace("</ds:Signature>", "</ds:Manifest>");
    let key = good.replace("ds:X509Data>", "ds:PGPData>");
    for (bad, what) in [
        (signature, "it is not the last element of the document"),
        (key, "it has an element that RIMs do not have"),
    ] {
        let profile = Rejection::RimSignatureProfile { what };
        assert_eq!(refused(&vendor, &bad), Some(profile));
    }
    let unsigned = Manifest::new(DRIVER, &[1]).document();
    assert_eq!(code(&vendor, &unsigned), Some("rim_signature_profile"));
}

#[test]
fn an_element_hidden_in_the_signature_is_not_content() {
    let vendor = vendor();
    let good = signed(&vendor, DRIVER, &[1, 2]);
    let hidden = "<ds:Object><ns0:Payload><ns0:Resource type=\"Measurement\"/></ns0:Payload></ds:Object></ds:Signature>";
    let wrapped = good.replace("</ds:Signature>", hidden);
    assert_eq!(code(&vendor, &wrapped), Some("rim_signature_profile"));
}

#[test]
fn a_change_breaks_digest_or_signature() {
    let vendor = vendor();
    let good = signed(&vendor, DRIVER, &[1, 2]);
    let changed = good.replacen("active=\"False\"", "active=\"True\"", 1);
    assert_eq!(refused(&vendor, &changed), Some(Rejection::RimDigest));
    // The digest follows the change, so the signature no longer does.
    let other = signed(&vendor, DRIVER, &[1, 2, 3]);
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
    let vendor = vendor();
    // Somebody else's key, under somebody else's root of the same names.
    let other = signed(&Scene::of_another().nvidia, DRIVER, &[1]);
    assert_eq!(code(&vendor, &other), Some("gpu_simulated_root_refused"));
    let refused =
        rim::verify(other.as_bytes(), &NvidiaRoots::nvidia(), NOW).map_err(|it| it.code());
    assert_eq!(refused, Err("gpu_simulated_root_refused"));

    // A key that may not sign, and a chain that is too long or too short.
    let mut vendor = self::vendor();
    let unsaid = profile("HCC RIM L4 Signer", Purpose::Unsaid);
    vendor.rim_chain[0] = vendor.rim_chain[1].issue(unsaid);
    assert_eq!(
        code(&vendor, &signed(&vendor, DRIVER, &[1])),
        Some("nvidia_certificate_profile")
    );
    // Somebody who calls himself like the intermediate issued the signer's certificate.
    let mut vendor = self::vendor();
    let [signer, intermediate, ..] = &vendor.rim_chain[..] else {
        panic!("a chain of four")
    };
    let impostor = impostor(&intermediate.profile().common_name);
    vendor.rim_chain[0] = impostor.issue(signer.profile());
    assert_eq!(
        code(&vendor, &signed(&vendor, DRIVER, &[1])),
        Some("nvidia_certificate_signature")
    );
    let mut vendor = self::vendor();
    assert_eq!(code(&vendor, &signed(&vendor, DRIVER, &[1])), None);
    vendor.rim_chain.remove(1);
    assert_eq!(
        refused_length(&vendor),
        Some(Rejection::RimChainLength { found: 3 })
    );
}

fn refused_length(vendor: &Nvidia) -> Option<Rejection> {
    refused(vendor, &signed(vendor, DRIVER, &[1]))
}

#[test]
fn there_are_at_most_sixteen_manifests() {
    let scene = Scene::new();
    let mut case = scene.case().without_revocation();
    let others = (0..15).map(|place| Manifest::new(&format!("1.{place}"), &[1]));
    let others = others.map(|other| scene.nvidia.sign_manifest(&other.document()));
    case.collateral.rims.extend(others);
    let what = "there are too many RIMs";
    assert_eq!(case.verify(), Err(Rejection::RimContent { what }));
    case.collateral.rims.pop();
    assert!(case.verify().is_ok(), "as many as may be");
}

#[test]
fn manifests_and_measurements_belong_together() {
    let vendor = vendor();
    let scene = Scene::new();
    let mut case = scene.case().without_revocation();
    let good = case.collateral.rims.clone();
    assert!(case.verify().is_ok());

    case.collateral.rims[1] = signed(&vendor, VBIOS, &[2, 4]).into_bytes();
    assert_eq!(case.verify(), Err(Rejection::RimIndexConflict { index: 2 }));

    let mut other_value = Manifest::vbios();
    for value in other_value.active.values_mut() {
        *value = [8; 48];
    }
    case.collateral.rims[1] = vendor.sign_manifest(&other_value.document());
    let indices = Indices(vec![3, 4]);
    assert_eq!(
        case.verify(),
        Err(Rejection::MeasurementMismatch {
            kind: "VBIOS",
            indices
        })
    );

    let other_chip = Manifest {
        product: "GB100".to_owned(),
        ..Manifest::vbios()
    };
    case.collateral.rims[1] = vendor.sign_manifest(&other_chip.document());
    assert_eq!(
        case.verify(),
        Err(Rejection::RimProductMismatch {
            found: "GPU GB100".to_owned()
        })
    );

    // The decoder's index counts only while the decoder is on.
    case.collateral.rims = good;
    let mut wrong = Manifest::new(DRIVER, &[1, 35]);
    wrong.active.insert(35, [8; 48]);
    case.collateral.rims[0] = vendor.sign_manifest(&wrong.document());
    let indices = Indices(vec![35]);
    assert_eq!(
        case.verify(),
        Err(Rejection::MeasurementMismatch {
            kind: "driver",
            indices
        })
    );
    case.evidence =
        vec![scene.evidence(|gpu| drop(gpu.opaque.insert(opaque::NVDEC0_STATUS, vec![0x55])))];
    assert!(case.verify().is_ok());
}
