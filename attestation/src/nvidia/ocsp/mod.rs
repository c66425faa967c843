//! OCSP (RFC 6960): whether NVIDIA still stands by a certificate.
//!
//! An answer counts only if all of this holds: it is a successful one, signed by its responder; the responder is appointed for
//! OCSP by the very authority that issued the certificate; the answer is about that certificate; it repeats the nonce that
//! was asked, or the policy accepts it without one and it is young enough for that; now lies in its validity; and its status is good.
//! One that revokes the certificate for good counts whatever its age, and whoever asked for it.

mod answer;
mod id;
mod question;

use std::time::Duration;

use x509_parser::{der_parser::oid, oid_registry::Oid};

use self::{
    answer::{Answer, Responder, Single, Status},
    id::{CertificateId, ISSUING, OID_SHA1, OID_SHA256, OID_SHA384, QUESTIONED},
    question::certificate_id,
};
use super::certificate::{Certificate, Signatures};
use crate::transcript::ensure;
use crate::{
    Rejection, Span, Time,
    crypto::sha1,
    encoding::digest::{sha256, sha384},
};

pub use answer::MAX_ANSWER_SIZE;
pub use question::{NONCE_SIZE, question};

/// One GPU and its two RIMs call for nine, eight GPUs of one machine for sixteen.
pub const MAX_ANSWERS: usize = 64;
/// How long an answer without nextUpdate counts. NVIDIA's live for a day and say so.
const DEFAULT_LIFETIME: i64 = 3600;
/// How old an answer may be that nobody asked for with a nonce of their own, unless a policy says otherwise. NVIDIA's are good for as long.
pub const STAPLED_AGE: Duration = Duration::from_secs(24 * 3600);
/// How far the responder's clock may be ahead where it answered our own nonce, in seconds: the answer is younger than the
/// question, so a date from the future says that a clock is off, and nothing else.
const CLOCK_SKEW: i64 = 300;

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
    /// How old an answer may be that was not asked with a nonce; `None`: no such answer counts.
    pub(crate) stapled: Option<Duration>,
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
            let authentic = check_responder(answer, issuer, now, signatures);
            // NVIDIA takes back nothing but a hold, so this is true for ever.
            if authentic.is_ok() && single.status == Status::Revoked {
                check_status(single, subject, terms)?;
            }
            let fresh =
                authentic.and_then(|()| check_freshness(answer, single, *nonce, terms, now));
            match (fresh, &best) {
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
        stapled: Some(STAPLED_AGE),
        hold: true,
    };
    Ok(Span {
        from: single.this_update,
        until: check_freshness(&answer, single, nonce, terms, now)?,
        number: None,
    })
}

fn is_about(id: &CertificateId<'_>, subject: &Certificate<'_>, issuer: &Certificate<'_>) -> bool {
    let names = |digest: &[u8], named: &[u8]| match id.hash {
        // It names a key, whose signature is checked as well; nothing rests on its strength.
        OID_SHA1 => digest == sha1(&[named]),
        OID_SHA256 => digest == sha256(&[named]),
        OID_SHA384 => digest == sha384(&[named]),
        _ => false,
    };
    id.serial == subject.serial()
        && names(id.issuer_name, issuer.subject().as_raw())
        && names(id.issuer_key, issuer.point())
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
        Responder::KeyHash(hash) => hash == sha1(&[certificate.point()]),
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
    let skew = match nonce {
        Some(nonce) if answer.nonce != Some(&nonce[..]) => {
            return Err(Rejection::OcspNonceMismatch);
        }
        None if terms.stapled.is_none() => return Err(Rejection::OcspStapledRefused),
        Some(_) => CLOCK_SKEW,
        None => 0,
    };
    let from = single.this_update.max(answer.produced_at);
    let until = single
        .next_update
        .unwrap_or_else(|| later(single.this_update, DEFAULT_LIFETIME));
    if later(now, skew) < from {
        return Err(Rejection::OcspNotYetValid { from });
    }
    if now > until {
        return Err(Rejection::OcspExpired { until });
    }
    match terms.stapled.filter(|_| nonce.is_none()) {
        Some(age) => {
            // Signed ahead of its time or long after it: what it says is as old as the older of the two.
            let made = single.this_update.min(answer.produced_at);
            Ok(until.min(check_age(made, age, now)?))
        }
        None => Ok(until),
    }
}

/// That an answer of unknown freshness was made at most so long ago. Until when that is so.
fn check_age(made: Time, age: Duration, now: Time) -> Result<Time, Rejection> {
    let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    let until = later(made, seconds);
    let hours = age.as_secs() / 3600;
    ensure(now <= until, || Rejection::OcspTooOld { made, hours })?;
    Ok(until)
}

fn later(time: Time, seconds: i64) -> Time {
    Time(time.0.saturating_add(seconds))
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
