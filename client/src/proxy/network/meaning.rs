//! What a failure means: for the request, and for the provider.

use chrysalis_network::Outcome;
use chrysalis_settle::Rejection;
use chrysalis_wire::api::DRAINING;
use hyper::StatusCode;
use serde_json::Value;

use crate::Error;

/// Errors of an enclave whose engine is lost: the answer had not begun.
const ENGINE_LOST: [&str; 3] = ["engine_failed", "engine_unavailable", "queue_timeout"];

/// What to make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each answers a question of its own"
)]
pub(super) struct Meaning {
    /// Whether the request may be asked again, somewhere else.
    pub(super) again: bool,
    /// Or at the same provider, which is not to blame.
    pub(super) same: bool,
    /// What is noted of the provider.
    pub(super) note: Option<Outcome>,
    /// Whether its lane has too little left.
    pub(super) low: bool,
    /// Whether it counts as no try: the provider takes its machine out of service, and said so before anything was done.
    pub(super) free: bool,
}

/// The program reads it; it is nobody's fault here.
const FINAL: Meaning = Meaning {
    again: false,
    same: false,
    note: None,
    low: false,
    free: false,
};
/// The provider failed.
const FAILED: Meaning = Meaning {
    again: true,
    note: Some(Outcome::Failed),
    ..FINAL
};
/// It has another price than was thought, or too little money to take.
const DEAR: Meaning = Meaning {
    again: true,
    ..FINAL
};

/// What an error means that came before the first piece. `sent`: the request may have left.
pub(super) fn of_error(error: &Error, sent: bool) -> Meaning {
    let refused = Meaning {
        note: Some(Outcome::Refused),
        ..FAILED
    };
    match error {
        // The price is before anything that is asked.
        Error::Refused(_) | Error::Listing(_) | Error::Receipt(Rejection::PriceRule { .. }) => {
            refused
        }
        // An answer without its true receipt was an answer all the same: it is not bought twice.
        Error::Receipt(_) => Meaning {
            again: !sent,
            ..refused
        },

        Error::TooDear { .. } => DEAR,
        // Nobody listens there any more, so nothing was asked.
        Error::Unreachable { .. } if !sent => Meaning {
            free: true,
            ..FAILED
        },
        Error::Local(_)
        | Error::NoProvider { .. }
        | Error::Relay { .. }
        | Error::AnswerAltered
        | Error::RelayKeys => FINAL,
        _ => FAILED,
    }
}

/// What an answer means that is none.
pub(super) fn of_answer(status: StatusCode, body: &[u8]) -> Meaning {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &said["error"];
    let code = error["code"].as_str().unwrap_or_default();
    match status {
        StatusCode::SERVICE_UNAVAILABLE if code == DRAINING => Meaning {
            free: true,
            ..FAILED
        },
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => FAILED,
        StatusCode::CONFLICT if code == "quote_unknown" => Meaning { same: true, ..DEAR },
        StatusCode::PAYMENT_REQUIRED => match code {
            "cap_too_low" => Meaning {
                low: error["wanted"].as_u64() > error["ceiling"].as_u64(),
                ..DEAR
            },
            "lane_unknown" | "lane_closing" | "lane_too_small" | "lane_closes_too_soon" => FAILED,
            _ => FINAL,
        },
        _ if ENGINE_LOST.contains(&code) => FAILED,
        _ => FINAL,
    }
}

/// What a stream's first event means, where it says that there will be no answer.
pub(super) fn of_event(data: &[u8]) -> Option<Meaning> {
    let said: Value = serde_json::from_slice(data).ok()?;
    // OpenAI's chat, its responses, and Anthropic's messages each have their own form.
    let errors = [&said["error"], &said["response"]["error"]];
    let codes = errors.iter().flat_map(|it| [&it["code"], &it["type"]]);
    let mut codes = codes.filter_map(Value::as_str);
    codes
        .any(|code| ENGINE_LOST.contains(&code))
        .then_some(FAILED)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_went_wrong_before_the_first_piece_is_asked_elsewhere() {
        let stalled = Error::Stalled {
            what: "answer",
            after: Duration::ZERO,
        };
        let unreachable = Error::Unreachable {
            address: String::new(),
            why: String::new(),
        };
        let expired = Error::Expired { until: 0 };
        let incomplete = Error::Incomplete { what: "answer" };
        for error in [
            stalled,
            unreachable,
            expired,
            incomplete,
            Error::KeyChanged,
            Error::Closed,
        ] {
            assert_eq!(of_error(&error, true), FAILED, "{error}");
        }
        for status in [429, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(of_answer(status, b""), FAILED);
        }
        let drains = br#"{"error": {"code": "draining"}}"#;
        let drains = of_answer(StatusCode::SERVICE_UNAVAILABLE, drains);
        assert!(drains.again && drains.free);
        let unreachable = Error::Unreachable {
            address: String::new(),
            why: String::new(),
        };
        assert!(of_error(&unreachable, false).free);
        let lost = br#"{"error": {"code": "engine_failed"}}"#;
        assert_eq!(of_answer(StatusCode::BAD_GATEWAY, lost), FAILED);
        assert_eq!(of_event(lost), Some(FAILED));
        assert_eq!(of_event(br#"{"choices": []}"#), None);
    }

    #[test]
    fn evidence_and_listings_that_are_refused_put_a_provider_out() {
        let mismatch = chrysalis_network::Rejection::ListingMismatch { what: "model" };
        let refused = chrysalis_attestation::Rejection::RevocationUnchecked;
        let refused = chrysalis_attestation::Refusal::from(refused);
        for error in [Error::Listing(mismatch), refused.into()] {
            let meaning = of_error(&error, false);
            assert_eq!(meaning.note, Some(Outcome::Refused));
            assert!(meaning.again);
        }
    }

    #[test]
    fn an_answer_without_its_receipt_is_left_and_not_bought_twice() {
        let error = Error::Receipt(Rejection::Missing);
        assert!(!of_error(&error, true).again && of_error(&error, false).again);
        assert_eq!(of_error(&error, true).note, Some(Outcome::Refused));
    }

    #[test]
    fn a_price_that_changed_is_nobodys_fault() {
        let unknown = br#"{"error": {"code": "quote_unknown"}}"#;
        let meaning = of_answer(StatusCode::CONFLICT, unknown);
        assert!(meaning.again && meaning.same && meaning.note.is_none());
        let repeated = br#"{"error": {"code": "job_repeated"}}"#;
        assert_eq!(of_answer(StatusCode::CONFLICT, repeated), FINAL);
        let low = |wanted: u64, ceiling: u64| {
            let body = serde_json::json!({"error": {"code": "cap_too_low", "wanted": wanted, "ceiling": ceiling}});
            of_answer(StatusCode::PAYMENT_REQUIRED, body.to_string().as_bytes())
        };
        assert!(low(9, 10).again && !low(9, 10).low);
        assert!(low(11, 10).low && low(11, 10).note.is_none());
        for status in [200, 400, 401, 404, 413, 500] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(of_answer(status, b"{}"), FINAL);
        }
    }
}
