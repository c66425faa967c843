//! An OCSP response as parsed from DER: RFC 6960 §4.2.1. Reading it verifies nothing.

use ::time::{Date, Month};

use super::id::{CertificateId, OID_NONCE};
use crate::{
    Rejection, Time,
    encoding::der::{Der, tag},
    nvidia::certificate::{ECDSA_SHA384, whole_bytes},
};

/// Every answer seen so far is smaller than 3 KiB.
pub const MAX_ANSWER_SIZE: usize = 16 * 1024;
/// 1.3.6.1.5.5.7.48.1.1
const OID_BASIC: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
/// NVIDIA's responder sends one or two.
const MAX_CERTIFICATES: usize = 4;
/// NVIDIA's responder answers one question at a time.
const MAX_SINGLES: usize = 16;
/// `CRLReason` certificateHold: revoked for the time being.
const CERTIFICATE_HOLD: &[u8] = &[6];

#[derive(Debug)]
pub(super) struct Answer<'a> {
    /// All of it.
    pub(super) der: &'a [u8],
    /// What the signature covers.
    pub(super) signed: &'a [u8],
    pub(super) responder: Responder<'a>,
    /// When it was signed.
    pub(super) produced_at: Time,
    singles: Vec<Single<'a>>,
    pub(super) nonce: Option<&'a [u8]>,
    pub(super) signature: &'a [u8],
    pub(super) certificates: Vec<&'a [u8]>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Responder<'a> {
    Name(&'a [u8]),
    KeyHash(&'a [u8]),
}

/// About one certificate.
#[derive(Debug)]
pub(super) struct Single<'a> {
    id: CertificateId<'a>,
    pub(super) status: Status,
    /// When the status was known to be correct.
    pub(super) this_update: Time,
    pub(super) next_update: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Good,
    OnHold,
    Revoked,
    Unknown,
}

impl<'a> Answer<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, Rejection> {
        if der.len() > MAX_ANSWER_SIZE {
            return Err(malformed("it is larger than any of NVIDIA's"));
        }
        let (status, rest) = status(der).ok_or(malformed("it is not an OCSP response"))?;
        if status != 0 {
            return Err(Rejection::OcspUnsuccessful { status });
        }
        let Basic {
            signed,
            signature,
            certificates,
        } = basic(rest).ok_or(malformed("it is not a basic OCSP response"))?;
        let data = Data::parse(signed).ok_or(malformed("its response data cannot be read"))?;
        Ok(Self {
            der,
            signed,
            responder: data.responder,
            produced_at: data.produced_at,
            singles: data.singles,
            nonce: data.nonce,
            signature,
            certificates,
        })
    }

    /// What it says about the certificate that `is_wanted` recognizes. Two statements about one certificate are refused.
    pub(super) fn about(
        &self,
        is_wanted: impl Fn(&CertificateId<'_>) -> bool,
    ) -> Result<Option<&Single<'a>>, Rejection> {
        let mut wanted = self.singles.iter().filter(|it| is_wanted(&it.id));
        match (wanted.next(), wanted.next()) {
            (single, None) => Ok(single),
            _ => Err(malformed("it has two statements about one certificate")),
        }
    }
}

/// `OCSPResponse { status, [0] { … } }`
fn status(der: &[u8]) -> Option<(u8, Der<'_>)> {
    let mut outer = Der::new(der);
    let mut response = outer.enter(tag::SEQUENCE)?;
    outer.end()?;
    let [status] = response.take(tag::ENUMERATED)? else {
        return None;
    };
    Some((*status, response))
}

/// `BasicOCSPResponse`
struct Basic<'a> {
    signed: &'a [u8],
    signature: &'a [u8],
    certificates: Vec<&'a [u8]>,
}

/// `[0] { ResponseBytes { id-pkix-ocsp-basic, BasicOCSPResponse } }`
fn basic(mut response: Der<'_>) -> Option<Basic<'_>> {
    let mut explicit = response.enter(tag::context(0))?;
    response.end()?;
    let mut bytes = explicit.enter(tag::SEQUENCE)?;
    explicit.end()?;
    if bytes.take(tag::OID)? != OID_BASIC {
        return None;
    }
    let mut inner = bytes.enter(tag::OCTET_STRING)?;
    bytes.end()?;
    let mut basic = inner.enter(tag::SEQUENCE)?;
    inner.end()?;

    let signed = basic.value(tag::SEQUENCE)?.raw;
    if basic.value(tag::SEQUENCE)?.raw != ECDSA_SHA384 {
        return None;
    }
    let signature = whole_bytes(basic.take(tag::BIT_STRING)?)?;
    let mut certificates = Vec::new();
    if let Some(explicit) = basic.optional(tag::context(0)) {
        let mut explicit = Der::new(explicit);
        let mut list = explicit.enter(tag::SEQUENCE)?;
        explicit.end()?;
        while !list.is_empty() && certificates.len() < MAX_CERTIFICATES {
            certificates.push(list.value(tag::SEQUENCE)?.raw);
        }
        list.end()?;
    }
    basic.end()?;
    Some(Basic {
        signed,
        signature,
        certificates,
    })
}

/// `ResponseData`
struct Data<'a> {
    responder: Responder<'a>,
    produced_at: Time,
    singles: Vec<Single<'a>>,
    nonce: Option<&'a [u8]>,
}

impl<'a> Data<'a> {
    fn parse(der: &'a [u8]) -> Option<Self> {
        let mut data = Der::new(der).enter(tag::SEQUENCE)?;
        // Version 1 is the default, so DER omits it; there is no other version.
        let responder = data.any()?;
        let mut inner = Der::new(responder.content);
        let responder = match responder.tag {
            it if it == tag::context(1) => Responder::Name(inner.value(tag::SEQUENCE)?.raw),
            it if it == tag::context(2) => Responder::KeyHash(inner.take(tag::OCTET_STRING)?),
            _ => return None,
        };
        inner.end()?;
        let produced_at = time(data.take(tag::GENERALIZED_TIME)?)?;
        let mut list = data.enter(tag::SEQUENCE)?;
        let mut singles = Vec::new();
        while !list.is_empty() && singles.len() < MAX_SINGLES {
            singles.push(Single::parse(list.enter(tag::SEQUENCE)?)?);
        }
        list.end()?;
        let nonce = match data.optional(tag::context(1)) {
            Some(extensions) => nonce(extensions)?.pop(),
            None => None,
        };
        data.end()?;
        Some(Self {
            responder,
            produced_at,
            singles,
            nonce,
        })
    }
}

impl<'a> Single<'a> {
    fn parse(mut single: Der<'a>) -> Option<Self> {
        let id = certificate_id(single.enter(tag::SEQUENCE)?)?;
        let status = single.any()?;
        let status = match (status.tag, status.content) {
            (it, []) if it == tag::context_primitive(0) => Status::Good,
            (it, content) if it == tag::context(1) => revoked(Der::new(content))?,
            (it, []) if it == tag::context_primitive(2) => Status::Unknown,
            _ => return None,
        };
        let this_update = time(single.take(tag::GENERALIZED_TIME)?)?;
        let next_update = match single.optional(tag::context(0)) {
            Some(explicit) => {
                let mut explicit = Der::new(explicit);
                let next = time(explicit.take(tag::GENERALIZED_TIME)?)?;
                explicit.end()?;
                Some(next)
            }
            None => None,
        };
        if let Some(extensions) = single.optional(tag::context(1)) {
            for_each_extension(extensions, |_, _| Some(false))?;
        }
        single.end()?;
        Some(Self {
            id,
            status,
            this_update,
            next_update,
        })
    }
}

fn certificate_id(mut id: Der<'_>) -> Option<CertificateId<'_>> {
    let mut algorithm = id.enter(tag::SEQUENCE)?;
    let hash = algorithm.take(tag::OID)?;
    // Parameters are either absent or NULL.
    if algorithm
        .optional(tag::NULL)
        .is_some_and(|null| !null.is_empty())
    {
        return None;
    }
    algorithm.end()?;
    let issuer_name = id.take(tag::OCTET_STRING)?;
    let issuer_key = id.take(tag::OCTET_STRING)?;
    let serial = id.take(tag::INTEGER)?;
    id.end()?;
    Some(CertificateId {
        hash,
        issuer_name,
        issuer_key,
        serial,
    })
}

/// `RevokedInfo { when, [0] { reason } }`
fn revoked(mut info: Der<'_>) -> Option<Status> {
    time(info.take(tag::GENERALIZED_TIME)?)?;
    let reason = match info.optional(tag::context(0)) {
        Some(explicit) => {
            let mut explicit = Der::new(explicit);
            let reason = explicit.take(tag::ENUMERATED)?;
            explicit.end()?;
            Some(reason)
        }
        None => None,
    };
    info.end()?;
    Some(if reason == Some(CERTIFICATE_HOLD) {
        Status::OnHold
    } else {
        Status::Revoked
    })
}

/// The nonce among an answer's extensions, if any. The outer `None` means that they cannot be read.
fn nonce(extensions: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    for_each_extension(extensions, |oid, value| {
        if oid != OID_NONCE {
            return Some(false);
        }
        let mut wrapped = Der::new(value);
        found.push(wrapped.take(tag::OCTET_STRING)?);
        wrapped.end()?;
        Some(true)
    })?;
    (found.len() <= 1).then_some(found)
}

/// Passes each extension to `is_known`; an unknown critical one makes the whole answer unreadable.
fn for_each_extension<'a>(
    explicit: &'a [u8],
    mut is_known: impl FnMut(&'a [u8], &'a [u8]) -> Option<bool>,
) -> Option<()> {
    let mut explicit = Der::new(explicit);
    let mut list = explicit.enter(tag::SEQUENCE)?;
    explicit.end()?;
    while !list.is_empty() {
        let mut extension = list.enter(tag::SEQUENCE)?;
        let oid = extension.take(tag::OID)?;
        let critical = match extension.optional(tag::BOOLEAN) {
            None => false,
            Some([0xFF]) => true,
            Some(_) => return None,
        };
        let value = extension.take(tag::OCTET_STRING)?;
        extension.end()?;
        if !is_known(oid, value)? && critical {
            return None;
        }
    }
    Some(())
}

/// `YYYYMMDDHHMMSSZ`, the only form that DER and RFC 5280 allow.
fn time(text: &[u8]) -> Option<Time> {
    let (b'Z', digits) = text.split_last()? else {
        return None;
    };
    if digits.len() != 14 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |from: usize, to: usize| {
        str::from_utf8(digits.get(from..to)?)
            .ok()?
            .parse::<u16>()
            .ok()
    };
    let small = |from: usize| number(from, from + 2).and_then(|it| u8::try_from(it).ok());
    let year = i32::from(number(0, 4)?);
    let date = Date::from_calendar_date(year, Month::try_from(small(4)?).ok()?, small(6)?).ok()?;
    let moment = date.with_hms(small(8)?, small(10)?, small(12)?).ok()?;
    Some(Time(moment.assume_utc().unix_timestamp()))
}

fn malformed(what: &'static str) -> Rejection {
    Rejection::OcspMalformed { what }
}
