//! Issues certificates, reports, manifests and OCSP answers as NVIDIA does. The keys live as long as the test.

use std::collections::BTreeMap;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, date_time_ymd,
};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm,
    },
};

use crate::{
    Rejection, Time,
    digest::{sha256, sha384},
    nvidia::{
        Collateral, GpuEvidence, GpuPolicy, Question, Roots, Verified,
        certificate::Certificate,
        der::{encode, tag},
        ocsp::OcspAnswer,
        policy::{Proof, Revocation, Wanted},
        rim::testing::canonical_text,
        spdm::Request,
        verify,
    },
    roots::SIMULATED,
};

pub(super) const NONCE: [u8; 32] = [0x42; 32];
/// 2026-03-01 00:00 UTC
pub(super) const NOW: Time = Time(1_772_323_200);
pub(super) const FWID: [u8; 48] = [0xF1; 48];
pub(super) const MEASURED: [u8; 48] = [7; 48];
pub(super) const WHY: &str = "this test is about something else";

pub(super) struct Signer {
    pub(super) der: Vec<u8>,
    params: CertificateParams,
    key: KeyPair,
}

impl Signer {
    pub(super) fn issue(
        name: &str,
        issuer: Option<&Self>,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2099, 1, 1));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, SIMULATED);
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let certificate = match issuer {
            Some(issuer) => {
                params.signed_by(&key, &Issuer::from_params(&issuer.params, &issuer.key))
            }
            None => params.self_signed(&key),
        };
        let der = certificate.expect("a certificate").der().to_vec();
        Self { der, params, key }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(&ECDSA_P384_SHA384_ASN1_SIGNING, message)
    }

    pub(super) fn sign_fixed(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(&ECDSA_P384_SHA384_FIXED_SIGNING, message)
    }

    fn sign_as(&self, algorithm: &'static EcdsaSigningAlgorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let key =
            EcdsaKeyPair::from_pkcs8(algorithm, self.key.serialized_der(), &random).expect("a key");
        key.sign(&random, message)
            .expect("a signature")
            .as_ref()
            .to_vec()
    }
}

/// What sets a certificate of one kind apart.
type Profile = fn(&mut CertificateParams);

pub(super) fn authority(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
}

pub(super) fn signer(params: &mut CertificateParams) {
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
}

pub(super) fn leaf(params: &mut CertificateParams) {
    signer(params);
    let fwid = encode(
        tag::SEQUENCE,
        &[
            &encode(
                tag::OID,
                &[&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02]],
            ),
            &encode(tag::OCTET_STRING, &[&FWID]),
        ],
    );
    let composite = encode(
        tag::SEQUENCE,
        &[
            &encode(tag::INTEGER, &[&[1]]),
            &encode(tag::SEQUENCE, &[]),
            &fwid,
        ],
    );
    params.custom_extensions = vec![CustomExtension::from_oid_content(
        &[2, 23, 133, 5, 4, 1],
        composite,
    )];
}

pub(super) fn responder(params: &mut CertificateParams) {
    signer(params);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
    let nocheck = encode(tag::NULL, &[]);
    params.custom_extensions = vec![CustomExtension::from_oid_content(
        &[1, 3, 6, 1, 5, 5, 7, 48, 1, 5],
        nocheck,
    )];
}

/// A vendor with one GPU: two chains, root last.
pub(super) struct Vendor {
    pub(super) device: Vec<Signer>,
    pub(super) rim: Vec<Signer>,
}

impl Vendor {
    pub(super) fn new() -> Self {
        let device = Self::chain(&[
            ("NVIDIA Device Identity CA", authority),
            ("NVIDIA GH100 Identity", authority),
            ("NVIDIA GH100 Provisioner ICA 1", authority),
            ("GH100 A01 GSP BROM", authority),
            ("GH100 A01 GSP FMC LF", leaf),
        ]);
        let rim = Self::chain(&[
            ("NVIDIA CoRIM signing Root CA", authority),
            ("NVIDIA Reference Value GH100 CA", authority),
            ("NVIDIA Reference Value L3 GH100 001", authority),
            ("HCC RIM L4 Signer", signer),
        ]);
        Self { device, rim }
    }

    fn chain(from_the_root: &[(&str, Profile)]) -> Vec<Signer> {
        let mut chain: Vec<Signer> = Vec::new();
        for (name, profile) in from_the_root {
            let next = Signer::issue(name, chain.last(), *profile);
            chain.push(next);
        }
        chain.reverse();
        chain
    }

    pub(super) fn roots(&self) -> Roots {
        let last = |chain: &[Signer]| sha256(&[&chain[chain.len() - 1].der]);
        Roots::nvidia().and_simulated(last(&self.device), last(&self.rim))
    }

    /// A good GPU: opaque data as `change` leaves it.
    pub(super) fn gpu(&self, change: impl FnOnce(&mut BTreeMap<u16, Vec<u8>>)) -> GpuEvidence {
        let mut fields = BTreeMap::from([
            (3, b"550.90.07\0".to_vec()),
            (6, vec![0x00, 0x9f, 0x00, 0x96, 0x01, 0, 0, 0]),
            (11, vec![0xAA]),
            (15, b"882\0\0\0\0\0\0".to_vec()),
            (17, b"1010\0".to_vec()),
            (18, b"0200\0".to_vec()),
            (20, FWID.to_vec()),
            (36, vec![0, 0]),
        ]);
        change(&mut fields);
        let opaque: Vec<u8> = fields
            .iter()
            .flat_map(|(kind, value)| field(*kind, value))
            .collect();
        let mut report = Request {
            nonce: NONCE,
            slot: 0,
        }
        .encode()
        .to_vec();
        report.extend([0x11, 0x60, 0, 0, 64]);
        report.extend(&(64_u32 * 55).to_le_bytes()[..3]);
        for index in 1..=64 {
            report.extend([index, 1, 51, 0, 1, 48, 0]);
            report.extend(MEASURED);
        }
        report.extend([9; 32]);
        report.extend(u16::try_from(opaque.len()).expect("small").to_le_bytes());
        report.extend(opaque);
        let signature = self.device[0].sign_fixed(&report);
        report.extend(signature);
        GpuEvidence {
            report,
            chain: self.device.iter().map(|it| it.der.clone()).collect(),
        }
    }

    pub(super) fn manifest(&self, version: &str, active: &[u8]) -> String {
        self.signed(&manifest(version, active))
    }

    /// Puts this vendor's signature at the end of a document.
    pub(super) fn signed(&self, document: &str) -> String {
        let close = "</SoftwareIdentity>";
        let body = document.strip_suffix(close).expect("a manifest");
        let digest = base64(&sha384(&[canonical_text(document, None).as_bytes()]));
        let signed_info = format!(
            "<ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"/>\
             <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384\"/>\
             <ds:Reference URI=\"\"><ds:Transforms>\
             <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
             <ds:Transform Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"/></ds:Transforms>\
             <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#sha384\"/>\
             <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        );
        let certificates = self.rim.iter().fold(String::new(), |text, it| {
            let der = base64(&it.der);
            format!("{text}<ds:X509Certificate>{der}</ds:X509Certificate>")
        });
        let signature = |value: &str| {
            format!(
                "{body}<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{signed_info}\
                 <ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>{certificates}</ds:X509Data>\
                 </ds:KeyInfo></ds:Signature>{close}"
            )
        };
        let to_sign = canonical_text(&signature(""), Some(["Signature", "SignedInfo"]));
        signature(&base64(&self.rim[0].sign_fixed(to_sign.as_bytes())))
    }

    /// An answer about each certificate that may be revoked.
    pub(super) fn answers(&self) -> Vec<OcspAnswer> {
        let device = self.device.windows(2).skip(1);
        let pairs = device.chain(self.rim.windows(2));
        let answer = |pair: &[Signer]| OcspAnswer {
            der: Answer::good(&pair[0], &pair[1]).encode(),
            nonce: Some(NONCE),
        };
        pairs.map(answer).collect()
    }

    pub(super) fn case(&self) -> Case<'_> {
        Case {
            vendor: self,
            evidence: vec![self.gpu(|_| ())],
            collateral: Collateral {
                rims: vec![
                    self.manifest("550.90.07", &[1, 2, 35]).into_bytes(),
                    self.manifest("96.00.9F.00.01", &[3, 4]).into_bytes(),
                ],
                ocsp: self.answers(),
            },
            policy: GpuPolicy {
                proof: Proof::complete(),
                wanted: Wanted::any(WHY),
            },
        }
    }
}

/// A whole verification, complete and good until a test changes something.
pub(super) struct Case<'a> {
    vendor: &'a Vendor,
    pub(super) evidence: Vec<GpuEvidence>,
    pub(super) collateral: Collateral,
    pub(super) policy: GpuPolicy,
}

impl Case<'_> {
    pub(super) fn without_revocation(mut self) -> Self {
        self.collateral.ocsp.clear();
        self.policy.proof.revocation = Revocation::Unchecked {
            why: WHY.to_owned(),
        };
        self
    }

    pub(super) fn without_rims(mut self) -> Self {
        self.collateral.rims.clear();
        self.policy.proof.rims_unchecked = Some(WHY.to_owned());
        self
    }

    pub(super) fn verify(&self) -> Result<Verified, Rejection> {
        self.verify_under(&self.vendor.roots())
    }

    pub(super) fn verify_under(&self, roots: &Roots) -> Result<Verified, Rejection> {
        let Self {
            evidence,
            collateral,
            policy,
            ..
        } = self;
        let question = Question {
            nonce: &NONCE,
            roots,
            collateral,
            policy,
            now: NOW,
        };
        verify(evidence, &question).map_err(|refusal| refusal.rejection)
    }
}

/// An OCSP response, before its responder signs it.
pub(super) struct Answer {
    pub(super) responder: Signer,
    pub(super) response_status: u8,
    pub(super) id: Vec<u8>,
    pub(super) status: Vec<u8>,
    pub(super) this_update: &'static str,
    pub(super) next_update: Option<&'static str>,
    pub(super) nonce: Option<[u8; 32]>,
    pub(super) by_key: bool,
}

impl Answer {
    pub(super) fn good(subject: &Signer, issuer: &Signer) -> Self {
        let subject = Certificate::parse(&subject.der, "subject").expect("a certificate");
        let parsed = Certificate::parse(&issuer.der, "issuer").expect("a certificate");
        Self {
            responder: Signer::issue("NVIDIA OCSP Responder", Some(issuer), responder),
            response_status: 0,
            id: crate::nvidia::ocsp::certificate_id(&subject, &parsed),
            status: vec![0x80, 0],
            this_update: "20260228180000Z",
            next_update: Some("20260301180000Z"),
            nonce: Some(NONCE),
            by_key: false,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let time = |text: &str| encode(tag::GENERALIZED_TIME, &[text.as_bytes()]);
        let next = self
            .next_update
            .map(|it| encode(tag::context(0), &[&time(it)]))
            .unwrap_or_default();
        let single = encode(
            tag::SEQUENCE,
            &[&self.id, &self.status, &time(self.this_update), &next],
        );
        let extensions = self.nonce.map(|nonce| {
            let value = encode(tag::OCTET_STRING, &[&encode(tag::OCTET_STRING, &[&nonce])]);
            let oid = encode(
                tag::OID,
                &[&[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02]],
            );
            encode(
                tag::context(1),
                &[&encode(
                    tag::SEQUENCE,
                    &[&encode(tag::SEQUENCE, &[&oid, &value])],
                )],
            )
        });
        let responder =
            Certificate::parse(&self.responder.der, "responder").expect("a certificate");
        let responder_id = if self.by_key {
            let sha1 =
                ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, responder.point());
            encode(
                tag::context(2),
                &[&encode(tag::OCTET_STRING, &[sha1.as_ref()])],
            )
        } else {
            encode(tag::context(1), &[responder.subject().as_raw()])
        };
        let data = encode(
            tag::SEQUENCE,
            &[
                &responder_id,
                &time(self.this_update),
                &encode(tag::SEQUENCE, &[&single]),
                &extensions.unwrap_or_default(),
            ],
        );
        let signature = encode(tag::BIT_STRING, &[&[0], &self.responder.sign(&data)]);
        let certificates = encode(
            tag::context(0),
            &[&encode(tag::SEQUENCE, &[&self.responder.der])],
        );
        let basic = encode(
            tag::SEQUENCE,
            &[
                &data,
                crate::nvidia::certificate::ECDSA_SHA384,
                &signature,
                &certificates,
            ],
        );
        let oid = encode(
            tag::OID,
            &[&[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01]],
        );
        let bytes = encode(
            tag::SEQUENCE,
            &[&oid, &encode(tag::OCTET_STRING, &[&basic])],
        );
        let status = encode(tag::ENUMERATED, &[&[self.response_status]]);
        match self.response_status {
            0 => encode(
                tag::SEQUENCE,
                &[&status, &encode(tag::context(0), &[&bytes])],
            ),
            _ => encode(tag::SEQUENCE, &[&status]),
        }
    }
}

/// One field of opaque data.
pub(super) fn field(kind: u16, value: &[u8]) -> Vec<u8> {
    let size = u16::try_from(value.len()).expect("small");
    [&kind.to_le_bytes()[..], &size.to_le_bytes(), value].concat()
}

/// A manifest without its signature, in which these indices are active.
pub(super) fn manifest(version: &str, active: &[u8]) -> String {
    let resources = (0..64).fold(String::new(), |text, index| {
            let is_active = if active.contains(&index) { "True" } else { "False" };
            let value = hex::encode(MEASURED);
            format!(
                "{text}<ns0:Resource type=\"Measurement\" index=\"{index}\" active=\"{is_active}\" alternatives=\"1\" \
                 ns2:Hash0=\"{value}\" name=\"Measurement_{index}\" size=\"48\"/>\n"
            )
        });
    format!(
        "<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" \
         xmlns:ns0=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" \
         xmlns:ns2=\"http://www.w3.org/2001/04/xmlenc#sha384\" name=\"GH100\">\n<ns0:Entity name=\"Simulated\"/>\n\
         <ns0:Meta xmlns:ns1=\"https://trustedcomputinggroup.org/resource/\
         tcg-reference-integrity-manifest-rim-information-model/\" colloquialVersion=\"{version}\" edition=\"GPU\" \
         product=\"GH100\" ns1:FirmwareManufacturerId=\"5703\"/>\n<ns0:Payload>\n{resources}</ns0:Payload>\n\
         </SoftwareIdentity>"
    )
}

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}
