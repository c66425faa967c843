//! OCSP (RFC 6960): whether NVIDIA still vouches for a certificate.
//!
//! An answer counts only if all of this is true: it is successful, and signed by its responder; the responder is appointed for OCSP by
//! the same authority that issued the certificate; the answer is about that certificate; it repeats the nonce of the request, or the
//! policy accepts it without one and it is recent enough for that; the current time lies in its validity period; and its status is good.
//! An answer that permanently revokes the certificate counts regardless of its age and of who asked for it.

mod answer;
mod id;
mod question;

use std::{sync::Arc, time::Duration};

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
    encoding::digest::{Hash384, sha256},
};

pub use answer::MAX_ANSWER_SIZE;
pub use question::{NONCE_SIZE, question};

/// One GPU and its two RIMs need nine answers, eight GPUs of one machine need sixteen.
pub const MAX_ANSWERS: usize = 64;
/// How long an answer without nextUpdate counts. NVIDIA's are valid for a day and say so.
const DEFAULT_LIFETIME: i64 = 3600;
/// How old a stapled answer may be, unless a policy says otherwise. NVIDIA's are valid for just as long.
pub const STAPLED_AGE: Duration = Duration::from_secs(24 * 3600);
/// How far ahead the responder's clock may be, in seconds, if it answered our own nonce: the answer is more recent than the
/// question, so a date in the future only means that a clock is off.
const CLOCK_SKEW: i64 = 300;

/// An answer as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspAnswer {
    /// The response, DER.
    pub der: Vec<u8>,
    /// The nonce in this verifier's request; `None` if the answer is stapled.
    pub nonce: Option<[u8; NONCE_SIZE]>,
}

impl OcspAnswer {
    /// An answer that this verifier did not request.
    pub fn brought_along(der: Vec<u8>) -> Self {
        Self { der, nonce: None }
    }
}

/// Which answers are good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// How old an answer without a nonce of ours may be; `None`: no such answer counts.
    pub(crate) stapled: Option<Duration>,
    /// Whether a certificate on hold is accepted.
    pub(crate) hold: bool,
}

/// What is known about a certificate that NVIDIA still vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// When the answer expires.
    pub(crate) until: Time,
    /// The certificate is on hold, and the terms accept that.
    pub(crate) on_hold: bool,
    /// Only its date vouches for the answer's freshness.
    pub(crate) stapled: bool,
}

/// All answers, each of them readable.
#[derive(Debug)]
pub(crate) struct Answers<'a>(Vec<(Answer<'a>, Option<[u8; NONCE_SIZE]>)>);

impl<'a> Answers<'a> {
    /// Reads all of them; if one cannot be read or is not successful, the whole set is refused.
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

    /// Whether NVIDIA still vouches for a certificate whose issuer was validated.
    ///
    /// If several answers are about it, one that revokes it outweighs those that don't.
    pub(crate) fn check(
        &self,
        subject: &Certificate,
        issuer: &Certificate,
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
            // Only a hold can be lifted, so this stays true forever.
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

/// A certificate's identifier in a question, DER. Neither certificate is verified here.
pub(super) fn name_of(subject: &[u8], issuer: &[u8]) -> Result<Vec<u8>, Rejection> {
    let subject = Certificate::parse(subject, QUESTIONED)?;
    let issuer = Certificate::parse(issuer, ISSUING)?;
    Ok(certificate_id(&subject, &issuer))
}

/// Checks that an answer is about `subject`, signed for `issuer`, and fresh, regardless of its status.
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

fn is_about(id: &CertificateId<'_>, subject: &Certificate, issuer: &Certificate) -> bool {
    let names = |digest: &[u8], named: &[u8], sha384: &Hash384| match id.hash {
        // This only names a key, whose signature is checked as well; nothing depends on its strength.
        OID_SHA1 => digest == sha1(&[named]),
        OID_SHA256 => digest == sha256(&[named]),
        OID_SHA384 => digest == sha384,
        _ => false,
    };
    let [name, key] = issuer.digests();
    id.serial == subject.serial()
        && names(id.issuer_name, issuer.subject(), name)
        && names(id.issuer_key, issuer.point(), key)
}

/// When a responder may speak that the issuer appointed and that signed the answer.
#[derive(Debug, Clone, Copy)]
struct Appointment {
    from: Time,
    until: Time,
}

/// What a verifier remembers of an answer and the issuer that it is signed for.
const APPOINTMENT: &str = "responder";

/// Checks that the issuer appointed the responder, and that the responder signed the answer.
fn check_responder(
    answer: &Answer<'_>,
    issuer: &Certificate,
    now: Time,
    signatures: &mut Signatures,
) -> Result<(), Rejection> {
    // id-pkix-ocsp-nocheck: without it, the responder's own certificate would need an answer too.
    const NOCHECK: Oid<'_> = oid!(1.3.6.1.5.5.7.48.1.5);
    let about = [answer.der, &issuer.der];
    let known = signatures.memory().recall(APPOINTMENT, &about);
    if known.is_some_and(|it: Arc<Appointment>| it.from <= now && now <= it.until) {
        return Ok(());
    }
    let refuse = |what| Rejection::OcspResponder { what };
    let mut responder = None;
    for der in &answer.certificates {
        let candidate = Certificate::parse(der, "OCSP responder")?;
        if is_named(&candidate, answer.responder) {
            responder = Some(candidate);
        }
    }
    let responder = responder.ok_or_else(|| refuse("did not include its certificate"))?;
    if responder.issuer() != issuer.subject() {
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
    )?;
    let appointment = Appointment {
        from: responder.from(),
        until: responder.until(),
    };
    signatures
        .memory()
        .keep(APPOINTMENT, &about, &Arc::new(appointment));
    Ok(())
}

fn is_named(certificate: &Certificate, responder: Responder<'_>) -> bool {
    match responder {
        Responder::Name(name) => certificate.subject() == name,
        Responder::KeyHash(hash) => hash == sha1(&[certificate.point()]),
    }
}

/// Checks that the answer is to our question, and neither stale nor from the future. Returns until when it counts.
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
            // Signed before its date or long after it: its content is as old as the older of the two.
            let made = single.this_update.min(answer.produced_at);
            Ok(until.min(check_age(made, age, now)?))
        }
        None => Ok(until),
    }
}

/// Checks that an answer of unknown freshness is not too old. Returns until when that is true.
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

/// Whether the certificate is on hold; any status other than that and good is refused.
fn check_status(
    single: &Single<'_>,
    subject: &Certificate,
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
