//! OCSP answers (RFC 6960 §4.2.1) as NVIDIA's responder signs them: about one certificate, by a responder that the
//! certificate's own issuer appointed, for a day.

use crate::{
    Profile, Purpose, Signer,
    tlv::{tag, tlv},
    x509::{after, generalized_time},
};
use chrysalis_attestation::{Time, encoding::digest::sha384};

/// 2.16.840.1.101.3.4.2.2
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
/// 1.2.840.10045.4.3.3
const ECDSA_SHA384: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03];
/// 1.3.6.1.5.5.7.48.1.1
const BASIC: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
/// 1.3.6.1.5.5.7.48.1.2
const NONCE: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02];
/// 1.3.6.1.4.1.65535: not assigned to anyone.
const UNKNOWN: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0x83, 0xFF, 0x7F];
/// id-pkix-ocsp-nocheck: the responder's own certificate needs no check.
const NOCHECK: &str = "1.3.6.1.5.5.7.48.1.5";

const HOUR: i64 = 3600;

/// What an answer says about its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateStatus {
    /// NVIDIA still vouches for it.
    Good,
    /// NVIDIA no longer does, since this time and for this reason (RFC 5280's `CRLReason`: 1 key compromise, 6 hold).
    Revoked {
        /// Since when.
        since: Time,
        /// Why.
        reason: u8,
    },
    /// The responder does not know it.
    Unknown,
}

/// An answer before its responder signs it. Tests may change any of it.
#[derive(Clone)]
pub struct Answer {
    /// Who signs.
    pub responder: Signer,
    /// 0 for a successful answer; any other is empty.
    pub response_status: u8,
    /// Which certificate: `CertID`, DER.
    pub id: Vec<u8>,
    /// Its status.
    pub status: CertificateStatus,
    /// When this was known.
    pub this_update: Time,
    /// When it was signed, if not at that time.
    pub produced_at: Option<Time>,
    /// Until when it is valid, if it says so.
    pub next_update: Option<Time>,
    /// The repeated nonce of the request, if there was one.
    pub nonce: Option<[u8; 32]>,
    /// Further nonces: a lie for tests.
    pub nonces: Vec<[u8; 32]>,
    /// What it says of the same certificate in a second statement: a lie for tests.
    pub also: Option<CertificateStatus>,
    /// Names the responder by this SHA-1 of its key instead of by name, if given.
    pub key_hash: Option<[u8; 20]>,
    /// Where it has an unknown critical extension, if anywhere.
    pub critical_extension: Option<Place>,
}

/// Where an answer has extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The extensions of the whole answer.
    Answer,
    /// The extensions of its statement about the one certificate.
    Certificate,
}

impl Answer {
    /// A good answer, as of six hours ago and for 18 more hours.
    pub fn good(subject: &Signer, issuer: &Signer, now: Time, nonce: Option<[u8; 32]>) -> Self {
        Self {
            responder: issuer.issue(Self::responder_profile(now)),
            response_status: 0,
            id: Self::id(subject, issuer),
            status: CertificateStatus::Good,
            this_update: after(now, -6 * HOUR),
            produced_at: None,
            next_update: Some(after(now, 18 * HOUR)),
            nonce,
            nonces: Vec::new(),
            also: None,
            key_hash: None,
            critical_extension: None,
        }
    }

    /// The content of an appointed responder's certificate.
    pub fn responder_profile(now: Time) -> Profile {
        Profile {
            signs_ocsp: true,
            extensions: vec![(NOCHECK, tlv(tag::NULL, &[]))],
            ..Profile::new("NVIDIA OCSP Responder", Purpose::Signs, now)
        }
    }

    /// `CertID`, with SHA-384. DER.
    pub fn id(subject: &Signer, issuer: &Signer) -> Vec<u8> {
        let hash = |bytes: &[u8]| tlv(tag::OCTET_STRING, &[&sha384(&[bytes])]);
        let algorithm = tlv(tag::SEQUENCE, &[&tlv(tag::OID, &[SHA384])]);
        let serial = tlv(tag::INTEGER, &[&integer(subject.serial())]);
        let parts = [hash(&issuer.name_der()), hash(&issuer.point())];
        let [name, key] = &parts;
        tlv(tag::SEQUENCE, &[&algorithm, name, key, &serial])
    }

    /// Signs it. DER.
    pub fn encode(&self) -> Vec<u8> {
        let status = tlv(tag::ENUMERATED, &[&[self.response_status]]);
        if self.response_status != 0 {
            return tlv(tag::SEQUENCE, &[&status]);
        }
        let data = self.data();
        let signature = tlv(tag::BIT_STRING, &[&[0], &self.responder.sign_der(&data)]);
        let certificates = tlv(tag::SEQUENCE, &[&self.responder.der]);
        let algorithm = tlv(tag::SEQUENCE, &[&tlv(tag::OID, &[ECDSA_SHA384])]);
        let basic = tlv(
            tag::SEQUENCE,
            &[
                &data,
                &algorithm,
                &signature,
                &tlv(tag::context(0), &[&certificates]),
            ],
        );
        let basic = tlv(tag::OCTET_STRING, &[&basic]);
        let bytes = tlv(tag::SEQUENCE, &[&tlv(tag::OID, &[BASIC]), &basic]);
        tlv(tag::SEQUENCE, &[&status, &tlv(tag::context(0), &[&bytes])])
    }

    /// `ResponseData`
    fn data(&self) -> Vec<u8> {
        let next = self
            .next_update
            .map(|it| tlv(tag::context(0), &[&time(it)]));
        let next = next.unwrap_or_default();
        let single = |status: CertificateStatus| {
            tlv(
                tag::SEQUENCE,
                &[
                    &self.id,
                    &status.encode(),
                    &time(self.this_update),
                    &next,
                    &self.extensions(Place::Certificate, &[]),
                ],
            )
        };
        let also = self.also.map(single).unwrap_or_default();
        let nonces: Vec<_> = self.nonce.iter().chain(&self.nonces).copied().collect();
        let responder = match self.key_hash {
            Some(hash) => tlv(tag::context(2), &[&tlv(tag::OCTET_STRING, &[&hash])]),
            None => tlv(tag::context(1), &[&self.responder.name_der()]),
        };
        tlv(
            tag::SEQUENCE,
            &[
                &responder,
                &time(self.produced_at.unwrap_or(self.this_update)),
                &tlv(tag::SEQUENCE, &[&single(self.status), &also]),
                &self.extensions(Place::Answer, &nonces),
            ],
        )
    }

    /// The extensions at this place; empty if there are none.
    fn extensions(&self, place: Place, nonces: &[[u8; 32]]) -> Vec<u8> {
        let nonces = nonces.iter().map(|nonce| {
            let value = tlv(tag::OCTET_STRING, &[&tlv(tag::OCTET_STRING, &[nonce])]);
            tlv(tag::SEQUENCE, &[&tlv(tag::OID, &[NONCE]), &value])
        });
        let critical = (self.critical_extension == Some(place)).then(|| {
            let is_critical = tlv(tag::BOOLEAN, &[&[0xFF]]);
            let value = tlv(tag::OCTET_STRING, &[&tlv(tag::NULL, &[])]);
            tlv(
                tag::SEQUENCE,
                &[&tlv(tag::OID, &[UNKNOWN]), &is_critical, &value],
            )
        });
        let all: Vec<u8> = nonces.chain(critical).flatten().collect();
        if all.is_empty() {
            return all;
        }
        tlv(tag::context(1), &[&tlv(tag::SEQUENCE, &[&all])])
    }
}

impl CertificateStatus {
    fn encode(self) -> Vec<u8> {
        match self {
            Self::Good => tlv(tag::context_primitive(0), &[]),
            Self::Revoked { since, reason } => {
                let reason = tlv(tag::context(0), &[&tlv(tag::ENUMERATED, &[&[reason]])]);
                tlv(tag::context(1), &[&time(since), &reason])
            }
            Self::Unknown => tlv(tag::context_primitive(2), &[]),
        }
    }
}

fn time(time: Time) -> Vec<u8> {
    generalized_time(time).expect("times end with the year 9999")
}

/// The content of a non-negative `INTEGER`.
fn integer(number: u128) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let mut content: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    if content.first().is_none_or(|byte| *byte >= 0x80) {
        content.insert(0, 0);
    }
    content
}
