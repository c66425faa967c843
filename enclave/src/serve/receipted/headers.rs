//! What a request says of its job, in headers.

use chrysalis_attestation::encoding::base64;
use chrysalis_settle::{CREDENTIAL_LENGTH, Credential, JobNumber};
use chrysalis_wire::api::{CAP, JOB, PRESENCE, QUOTE};
use hyper::{HeaderMap, header::HeaderValue};

use super::paid::Asked;
use crate::serve::error::ApiError;

/// What a request wants besides its answer.
pub(super) enum Named {
    /// Nothing.
    Nothing,
    /// A receipt, without payment.
    Job(JobNumber),
    /// To pay.
    Paid(Box<Asked>),
}

impl Named {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let job = number(headers, JOB)?;
        let quote = number(headers, QUOTE)?;
        match (job, quote, credential(headers)?) {
            (None, None, None) => Ok(Self::Nothing),
            (Some(job), None, None) => Ok(Self::Job(job)),
            (Some(job), Some(quote), Some(credential)) => Ok(Self::Paid(Box::new(Asked {
                job,
                quote,
                credential,
                presence: presence(headers)?,
            }))),
            (job, quote, _) => {
                let missing = match (job, quote) {
                    (None, _) => JOB,
                    (_, None) => QUOTE,
                    _ => CAP,
                };
                Err(ApiError::missing(missing))
            }
        }
    }
}

/// Bytes in hexadecimal.
fn number<const N: usize>(
    headers: &HeaderMap,
    name: &'static str,
) -> Result<Option<[u8; N]>, ApiError> {
    let Some(digits) = once(headers, name)? else {
        return Ok(None);
    };
    let mut number = [0; N];
    hex::decode_to_slice(digits, &mut number).map_err(|_| {
        let what = match name {
            JOB => "draw them at random for each job",
            _ => "name a quote by its SHA-256",
        };
        let digits = 2 * N;
        ApiError::invalid(
            name,
            format!("{name} is not {digits} hexadecimal digits; {what}"),
        )
    })?;
    Ok(Some(number))
}

fn credential(headers: &HeaderMap) -> Result<Option<Credential>, ApiError> {
    let Some(text) = once(headers, CAP)? else {
        return Ok(None);
    };
    let credential = decoded(text).and_then(|bytes| Credential::decode(&bytes).ok());
    let credential = credential.ok_or_else(|| {
        let message = format!(
            "{CAP} is not a credential of {CREDENTIAL_LENGTH} bytes in base64url without padding"
        );
        ApiError::invalid(CAP, message)
    })?;
    Ok(Some(credential))
}

/// The signature over this connection, which every use of a paid tab needs.
pub(super) fn presence(headers: &HeaderMap) -> Result<[u8; 64], ApiError> {
    let text = once(headers, PRESENCE)?.ok_or_else(|| ApiError::missing(PRESENCE))?;
    let bytes = decoded(text).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| {
        let message = format!("{PRESENCE} is not 64 bytes in base64url without padding");
        ApiError::invalid(PRESENCE, message)
    })
}

fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    base64::decode_url_unpadded(text)
}

/// A header that may be there once.
fn once<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a [u8]>, ApiError> {
    let mut named = headers.get_all(name).iter();
    let first = named.next();
    if named.next().is_some() {
        let message = format!("{name} is there twice; send it once");
        return Err(ApiError::invalid(name, message));
    }
    Ok(first.map(HeaderValue::as_bytes))
}
