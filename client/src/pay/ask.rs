//! `POST /v1/tab`: where a tab stands, and what answers cost.

use bytes::Bytes;
use chrysalis_settle::{Job, MAX_TERMS, Terms};
use chrysalis_wire::api::{PRESENCE, TAB};
use http_body_util::{BodyExt, Limited};
use hyper::{Request, StatusCode};

use crate::{Answer, Error};

/// What the enclave says of a tab, and the jobs of its receipts. Nothing is verified.
pub(crate) type Answered = (Terms, Vec<Job>);

/// The request. `body` names the tab: a credential, with a presence beside it, or the exporter of an unpaid one's connection.
pub(crate) fn request(body: &[u8], presence: Option<&str>) -> Result<Request<Bytes>, Error> {
    let mut request = Request::post(TAB);
    if let Some(presence) = presence {
        request = request.header(PRESENCE, presence);
    }
    request
        .body(Bytes::copy_from_slice(body))
        .map_err(|error| Error::Local(error.to_string()))
}

/// Its answer. `Ok(Err(…))`: the enclave will not, and says why.
pub(crate) async fn read(
    answer: hyper::Response<Answer>,
) -> Result<Result<Answered, Error>, Error> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_TERMS).collect().await;
    let body = body
        .map_err(|_| Error::Incomplete {
            what: "standing of a tab",
        })?
        .to_bytes();
    if status != StatusCode::OK {
        return Ok(Err(refused(&body)));
    }
    Terms::decode(&body).map(Ok).ok_or_else(|| {
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

#[cfg(test)]
mod tests {
    use super::*;

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
