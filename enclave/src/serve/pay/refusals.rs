//! Why a request is not answered for its money, and what would do instead.

use std::time::Duration;

use chrysalis_settle::{NotAdmitted, Rejection};
use chrysalis_wire::{
    api::{CAP, JOB, PRESENCE, QUOTE, TAB},
    host::NoLane,
};
use data_encoding::BASE64URL_NOPAD;
use hyper::StatusCode;
use serde_json::json;

use super::{lanes::REFUSED, prices::Offer};
use crate::serve::error::ApiError;

impl ApiError {
    /// 400: nobody pays here.
    pub(in crate::serve) fn nobody_pays() -> Self {
        let message = format!("nobody pays here: leave out {CAP} and {QUOTE}");
        Self::invalid(CAP, message)
    }

    /// 402: nobody is answered here who does not pay. The error has the model's quote.
    pub(in crate::serve) fn payment_required(offer: Option<&Offer>) -> Self {
        let message = format!(
            "here answers are paid for: open a tab (POST {TAB}), and ask with {JOB}, {QUOTE}, {CAP} and {PRESENCE}, over a connection of one's own"
        );
        Self::new(StatusCode::PAYMENT_REQUIRED, "payment_required", message).quoting(offer)
    }

    /// 409: the quote is not one of the model, or not any more. The error has the current one.
    pub(in crate::serve) fn quote_unknown(offer: Option<&Offer>) -> Self {
        let message = format!(
            "the quote in {QUOTE} is not one of this model, or not any more; ask by the current one"
        );
        Self::new(StatusCode::CONFLICT, "quote_unknown", message)
            .about(QUOTE)
            .quoting(offer)
    }

    /// 401: the cap is not signed as it must be.
    pub(in crate::serve) fn cap_signature() -> Self {
        let message = Rejection::CapSignature.to_string();
        Self::new(StatusCode::UNAUTHORIZED, "cap_signature", message).about(CAP)
    }

    /// 401: whoever asks does not have the lane's key.
    pub(in crate::serve) fn presence_signature() -> Self {
        let message = Rejection::Presence.to_string();
        Self::new(StatusCode::UNAUTHORIZED, "presence_signature", message).about(PRESENCE)
    }

    /// 402, or 503: the lane may not be used.
    pub(in crate::serve) fn no_lane(why: NoLane) -> Self {
        let message = match why {
            NoLane::Unknown => {
                "there is no such lane for this provider, or not yet; lock money for its payee, and ask again once the chain has it"
            }
            NoLane::Closing => "the lane is being closed; open another",
            NoLane::TooSmall => {
                "the lane has less money than this provider serves (lane_min of its listing); add to it, or lock a larger one"
            }
            NoLane::ClosesTooSoon => {
                "the lane can be closed sooner than this provider serves (delay_min of its listing); open one with a longer closing delay"
            }
            NoLane::Unreachable => {
                "the provider cannot ask the chain about this lane now; ask again later, or elsewhere"
            }
        };
        if why == NoLane::Unreachable {
            let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, why.code(), message);
            return error.about(CAP).retrying_after(REFUSED);
        }
        Self::new(StatusCode::PAYMENT_REQUIRED, why.code(), message).about(CAP)
    }

    /// 400: the most that the request can cost does not fit into 64 bits.
    pub(in crate::serve) fn amount_overflow() -> Self {
        let message = "the most that this request can cost does not fit into 64 bits; ask for less";
        Self::new(StatusCode::BAD_REQUEST, "amount_overflow", message)
    }

    /// A job that is not begun.
    pub(in crate::serve) fn not_admitted(why: NotAdmitted) -> Self {
        let message = why.to_string();
        match why {
            NotAdmitted::Repeated(_) => Self::job_repeated(),
            NotAdmitted::Full(_) => Self::tabs_full(),
            NotAdmitted::TooLow {
                wanted,
                cap,
                ceiling,
            } => Self::new(StatusCode::PAYMENT_REQUIRED, "cap_too_low", message)
                .about(CAP)
                .saying([
                    ("wanted", json!(wanted)),
                    ("cap", json!(cap)),
                    ("ceiling", json!(ceiling)),
                ]),
            NotAdmitted::GivenUp { after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "jobs_given_up", message)
                    .retrying_after(Duration::from_millis(after))
            }
        }
    }

    fn quoting(self, offer: Option<&Offer>) -> Self {
        let quote = offer.map(|offer| BASE64URL_NOPAD.encode(&offer.quote.encode()));
        self.saying([("quote", json!(quote))])
    }
}
