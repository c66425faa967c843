//! OCSP (RFC 6960): whether NVIDIA still stands by a certificate.
//!
//! An answer counts only if all of this holds: it is a successful one, signed by its responder; the responder is appointed for
//! OCSP by the very authority that issued the certificate; the answer is about that certificate; it repeats the nonce that
//! was asked, or was explicitly accepted without one; now lies in its validity; and its status is good.

mod answer;
mod question;

use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, digest};
use x509_parser::{der_parser::oid, oid_registry::Oid};

use self::{
    answer::{Answer, Responder, Single, Status},
    question::certificate_id,
};
use super::{
    certificate::{Certificate, Signatures},
    inspection::ensure,
};
use crate::{Rejection, Span, Time};

pub use question::{NONCE_SIZE, question};

/// No answer that was seen has 3 KiB.
pub const MAX_ANSWER_SIZE: usize = 16 * 1024;
/// One GPU and its two RIMs call for nine, eight GPUs of one machine for sixteen.
pub const MAX_ANSWERS: usize = 64;
/// How long an answer without nextUpdate counts. NVIDIA's live for a day and say so.
const DEFAULT_LIFETIME: i64 = 3600;

/// What the two certificates of a question are called in messages.
const QUESTIONED: &str = "questioned";
const ISSUING: &str = "issuing";

/// 1.3.14.3.2.26
const OID_SHA1: &[u8] = &[0x2B, 0x0E, 0x03, 0x02, 0x1A];
/// 2.16.840.1.101.3.4.2.1
const OID_SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 2.16.840.1.101.3.4.2.2
const OID_SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
/// 1.3.6.1.5.5.7.48.1.2
const OID_NONCE: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02];

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspAnswer {
    /// The response, DER.
    pub der: Vec<u8>,
    /// What this verifier asked with; none if somebody else asked and brought the answer along.
    pub nonce: Option<[u8; NONCE_SIZE]>,
}

impl OcspAnswer {
    /// One that this verifier did not ask for.
    pub fn brought_along(der: Vec<u8>) -> Self {
        Self { der, nonce: None }
    }
}

/// Which answers are good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Whether an answer counts that was not asked with a nonce.
    pub(crate) stapled: bool,
    /// Whether a certificate counts that is on hold.
    pub(crate) hold: bool,
}

/// What is known about a certificate that NVIDIA stands by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// When the answer ends.
    pub(crate) until: Time,
    /// The certificate is on hold, and the terms accept that.
    pub(crate) on_hold: bool,
    /// Nobody but the time vouches for the answer's freshness.
    pub(crate) stapled: bool,
}

/// All the answers there are, each of them readable.
#[derive(Debug)]
pub(crate) struct Answers<'a>(Vec<(Answer<'a>, Option<[u8; NONCE_SIZE]>)>);

impl<'a> Answers<'a> {
    /// Reads all of them; one that cannot be read, or is not a successful one, spoils the set.
    pub(crate) fn parse(answers: &'a [OcspAnswer]) -> Result<Self, Rejection> {
        if answers.len() > MAX_ANSWERS {
            return Err(Rejection::OcspMalformed {
                what: "there are too many of them",
            });
        }
        answers
            .iter()
            .map(|it| Ok((Answer::parse(&it.der)?, it.nonce)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether NVIDIA stands by a certificate whose issuer was validated.
    ///
    /// Where several answers are about it, one that revokes it outweighs those that don't.
    pub(crate) fn check(
        &self,
        subject: &Certificate<'_>,
        issuer: &Certificate<'_>,
        terms: Terms,
        now: Time,
        signatures: &mut Signatures,
    ) -> Result<Standing, Rejection> {
        let mut best = Err(Rejection::OcspMissing {
            which: subject.which,
        });
        for (answer, nonce) in &self.0 {
            let Some(single) = answer.about(|id| is_about(id, subject, issuer))? else {
                continue;
            };
            let authentic = check_responder(answer, issuer, now, signatures)
                .and_then(|()| check_freshness(answer, single, *nonce, terms, now));
            match (authentic, &best) {
                (Ok(until), _) => {
                    let held_by_another = matches!(best, Ok(Standing { on_hold: true, .. }));
                    let on_hold = check_status(single, subject, terms)? || held_by_another;
                    best = Ok(Standing {
                        until,
                        on_hold,
                        stapled: nonce.is_none(),
                    });
                }
                (Err(error), Err(Rejection::OcspMissing { .. })) => best = Err(error),
                (Err(_), _) => {}
            }
        }
        best
    }
}

/// What a question calls a certificate, DER. Neither certificate is verified here.
pub(super) fn name_of(subject: &[u8], issuer: &[u8]) -> Result<Vec<u8>, Rejection> {
    let subject = Certificate::parse(subject, QUESTIONED)?;
    let issuer = Certificate::parse(issuer, ISSUING)?;
    Ok(certificate_id(&subject, &issuer))
}

/// That an answer is about `subject`, signed for `issuer`, and fresh; whatever it says.
pub(super) fn check_answer(
    (subject, issuer): (&[u8], &[u8]),
    der: &[u8],
    nonce: Option<[u8; NONCE_SIZE]>,
    now: Time,
) -> Result<Span, Rejection> {
    let subject = Certificate::parse(subject, QUESTIONED)?;
    let issuer = Certificate::parse(issuer, ISSUING)?;
    let answer = Answer::parse(der)?;
    let single = answer
        .about(|id| is_about(id, &subject, &issuer))?
        .ok_or(Rejection::OcspMissing { which: QUESTIONED })?;
    check_responder(&answer, &issuer, now, &mut Signatures::default())?;
    let terms = Terms {
        stapled: true,
        hold: true,
    };
    Ok(Span {
        from: single.this_update,
        until: check_freshness(&answer, single, nonce, terms, now)?,
        number: None,
    })
}

/// Names a certificate by its issuer and serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CertificateId<'a> {
    hash: &'a [u8],
    issuer_name: &'a [u8],
    issuer_key: &'a [u8],
    serial: &'a [u8],
}

fn is_about(id: &CertificateId<'_>, subject: &Certificate<'_>, issuer: &Certificate<'_>) -> bool {
    let hash: &'static Algorithm = match id.hash {
        // It names a key, whose signature is checked as well; nothing rests on its strength.
        OID_SHA1 => &SHA1_FOR_LEGACY_USE_ONLY,
        OID_SHA256 => &SHA256,
        OID_SHA384 => &SHA384,
        _ => return false,
    };
    id.serial == subject.serial()
        && id.issuer_name == digest(hash, issuer.subject().as_raw()).as_ref()
        && id.issuer_key == digest(hash, issuer.point()).as_ref()
}

/// That the issuer appointed the responder, and that the responder signed the answer.
fn check_responder(
    answer: &Answer<'_>,
    issuer: &Certificate<'_>,
    now: Time,
    signatures: &mut Signatures,
) -> Result<(), Rejection> {
    // Without it somebody would have to vouch for the responder's own certificate: id-pkix-ocsp-nocheck.
    const NOCHECK: Oid<'_> = oid!(1.3.6.1.5.5.7.48.1.5);
    let refuse = |what| Rejection::OcspResponder { what };
    let mut responder = None;
    for der in &answer.certificates {
        let candidate = Certificate::parse(der, "OCSP responder")?;
        if is_named(&candidate, answer.responder) {
            responder = Some(candidate);
        }
    }
    let responder = responder.ok_or_else(|| refuse("did not bring its certificate"))?;
    if responder.issuer().as_raw() != issuer.subject().as_raw() {
        return Err(refuse("was not appointed by the certificate's issuer"));
    }
    responder.check_issued_by(issuer, signatures)?;
    responder.check_end_entity()?;
    responder.check_valid_at(now)?;
    if !responder.signs_ocsp() {
        return Err(refuse("was not appointed for OCSP"));
    }
    if responder.extension(&NOCHECK).is_none() {
        return Err(refuse("would need an OCSP answer about itself"));
    }
    ensure(
        signatures.check(&responder, answer.signed, answer.signature),
        || Rejection::OcspSignature,
    )
}

fn is_named(certificate: &Certificate<'_>, responder: Responder<'_>) -> bool {
    match responder {
        Responder::Name(name) => certificate.subject().as_raw() == name,
        Responder::KeyHash(hash) => {
            digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate.point()).as_ref() == hash
        }
    }
}

/// That the answer is to our question, and is neither stale nor from the future. Until when it counts.
fn check_freshness(
    answer: &Answer<'_>,
    single: &Single<'_>,
    nonce: Option<[u8; NONCE_SIZE]>,
    terms: Terms,
    now: Time,
) -> Result<Time, Rejection> {
    match nonce {
        Some(nonce) if answer.nonce != Some(&nonce[..]) => {
            return Err(Rejection::OcspNonceMismatch);
        }
        None if !terms.stapled => return Err(Rejection::OcspStapledRefused),
        _ => {}
    }
    let from = single.this_update;
    let until = single
        .next_update
        .unwrap_or(Time(from.0.saturating_add(DEFAULT_LIFETIME)));
    if now < from {
        return Err(Rejection::OcspNotYetValid { from });
    }
    if now > until {
        return Err(Rejection::OcspExpired { until });
    }
    Ok(until)
}

/// Whether the certificate is on hold; any other status than that and good is refused.
fn check_status(
    single: &Single<'_>,
    subject: &Certificate<'_>,
    terms: Terms,
) -> Result<bool, Rejection> {
    let which = subject.which;
    match single.status {
        Status::Good => Ok(false),
        Status::OnHold if terms.hold => Ok(true),
        Status::OnHold => Err(Rejection::OcspHold { which }),
        Status::Revoked => Err(Rejection::OcspRevoked { which }),
        Status::Unknown => Err(Rejection::OcspUnknown { which }),
    }
}
