//! `POST /v1/tab`: where a tab stands, and what answers cost.

use bytes::Bytes;
use chrysalis_attestation::encoding::cbor::{self, Fields, Value};
use chrysalis_settle::{JobNumber, Receipt, money::Quote};
use chrysalis_wire::api::TAB;
use http_body_util::{BodyExt, Limited};
use hyper::{Request, StatusCode};

use crate::{Answer, Error};

/// The most quotes: one for each model.
const MAX_QUOTES: usize = 64;
/// The most bytes of the answer.
const MAX_ANSWER: usize = 64 * 1024;

/// What the enclave says of a tab.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The tab's last job.
    pub(crate) last: Option<Last>,
    /// What each model's answers cost.
    pub(crate) quotes: Vec<Quote>,
}

/// A tab's last job, as the enclave says. Nothing is verified.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) receipt: Receipt,
    pub(crate) job: JobNumber,
    /// The head of the chain before it, where somebody pays.
    pub(crate) before: Option<[u8; 32]>,
}

/// The request. `body` names the tab: a credential, or the exporter of an unpaid one's connection.
pub(crate) fn request(body: &[u8]) -> Result<Request<Bytes>, Error> {
    Request::post(TAB)
        .body(Bytes::copy_from_slice(body))
        .map_err(|error| Error::Local(error.to_string()))
}

/// Its answer. `Ok(Err(…))`: the enclave will not, and says why.
pub(crate) async fn read(
    answer: hyper::Response<Answer>,
) -> Result<Result<Standing, Error>, Error> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    let body = body
        .map_err(|_| Error::Incomplete {
            what: "standing of a tab",
        })?
        .to_bytes();
    if status != StatusCode::OK {
        return Ok(Err(refused(&body)));
    }
    standing(&body).map(Ok).ok_or_else(|| {
        Error::Protocol("asked where a tab stands, it answered something else".into())
    })
}

/// The refusal in an error's body.
fn refused(body: &[u8]) -> Error {
    let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| {
        let text = said["error"][name].as_str().unwrap_or_default();
        text.chars().take(300).collect()
    };
    Error::Payment {
        code: text("code"),
        message: text("message"),
    }
}

fn standing(body: &[u8]) -> Option<Standing> {
    let mut fields = Fields::of(cbor::decode(body)?)?;
    let last = match fields.take("last")? {
        Value::Null => None,
        Value::Bytes(receipt) => {
            let (receipt, job) = Receipt::decode(&receipt).ok()?;
            Some(Last {
                receipt,
                job: job.job,
                before: fields.bytes("before"),
            })
        }
        _ => return None,
    };
    let quotes = fields
        .take("quotes")
        .map_or(Some(Vec::new()), cbor::array)?;
    if quotes.len() > MAX_QUOTES {
        return None;
    }
    let quotes = quotes
        .into_iter()
        .map(|quote| Quote::decode(&cbor::bytes(quote)?));
    Some(Standing {
        last,
        quotes: quotes.collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote() -> Quote {
        Quote {
            model: "m".to_owned(),
            weights: [4; 32],
            price: [1, 2, 3, 4],
            floor: 1,
            epoch: 7,
            until: 9,
        }
    }

    #[test]
    fn an_answer_is_read_or_refused_whole() {
        let none = cbor::encode(&cbor::map([
            ("last", Value::Null),
            ("quotes", Value::Array(vec![Value::Bytes(quote().encode())])),
        ]));
        let expected = Standing {
            last: None,
            quotes: vec![quote()],
        };
        assert_eq!(standing(&none), Some(expected));
        let unpaid = cbor::encode(&cbor::map([("last", Value::Null)]));
        assert_eq!(standing(&unpaid), Some(Standing::default()));
        let many = vec![Value::Bytes(quote().encode()); MAX_QUOTES + 1];
        for wrong in [
            cbor::map([("quotes", Value::Array(Vec::new()))]),
            cbor::map([
                ("last", Value::Bytes(vec![1])),
                ("before", Value::Bytes(vec![0; 32])),
            ]),
            cbor::map([
                ("last", Value::Null),
                ("quotes", Value::Array(vec![Value::Null])),
            ]),
            cbor::map([("last", Value::Null), ("quotes", Value::Array(many))]),
            Value::Null,
        ] {
            assert_eq!(standing(&cbor::encode(&wrong)), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_refusal_keeps_its_code_and_not_too_many_words() {
        let long = "x".repeat(1000);
        let body = serde_json::json!({"error": {"code": "lane_unknown", "message": long}});
        let error = refused(body.to_string().as_bytes());
        assert_eq!(error.code(), "lane_unknown");
        assert!(error.to_string().len() < 400);
        assert_eq!(refused(b"<html>").code(), "payment_refused");
    }
}
