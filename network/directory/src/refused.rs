//! Why something is not taken, as whoever sent it is told.

use serde_json::json;

use crate::store::StoreError;

/// A refusal, or an error of this directory's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl Refused {
    pub(crate) fn new(status: u16, code: &'static str, message: &str, hint: &str) -> Self {
        Self {
            status,
            code,
            message: message.to_owned(),
            hint: hint.to_owned(),
        }
    }

    /// The evidence that the offer names has to come along.
    pub(crate) fn evidence_wanted() -> Self {
        Self::new(
            409,
            "evidence_wanted",
            "this directory does not have the evidence that the offer names, or not as of now",
            "send it along with the listing",
        )
    }

    pub(crate) fn too_long(most: usize) -> Self {
        Self::new(
            413,
            "upload_too_long",
            &format!("the body has more than {most} bytes"),
            "send one listing with its evidence, or one report",
        )
    }

    /// `{"error": {"code", "message", "hint"}}`.
    pub fn json(&self) -> String {
        let Self {
            code,
            message,
            hint,
            ..
        } = self;
        json!({"error": {"code": code, "message": message, "hint": hint}}).to_string()
    }
}

impl From<chrysalis_network::Rejection> for Refused {
    fn from(rejection: chrysalis_network::Rejection) -> Self {
        use chrysalis_network::Rejection;
        let status = match rejection {
            Rejection::ListingNetwork
            | Rejection::ListingClass
            | Rejection::ListingMismatch { .. }
            | Rejection::EndpointPrivate { .. } => 403,
            _ => 400,
        };
        Self::new(
            status,
            rejection.code(),
            &rejection.to_string(),
            rejection.hint(),
        )
    }
}

impl From<chrysalis_settle::Rejection> for Refused {
    fn from(rejection: chrysalis_settle::Rejection) -> Self {
        let status = match rejection {
            chrysalis_settle::Rejection::PriceRule { .. } => 403,
            _ => 400,
        };
        Self::new(
            status,
            rejection.code(),
            &rejection.to_string(),
            rejection.hint(),
        )
    }
}

/// Evidence that is not trusted.
impl From<chrysalis_attestation::Rejection> for Refused {
    fn from(rejection: chrysalis_attestation::Rejection) -> Self {
        Self::new(
            403,
            rejection.code(),
            &rejection.to_string(),
            rejection.hint(),
        )
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        // What the database says may name files; it goes to the operator's log.
        eprintln!("error: {error}\nhint: {}", error.hint());
        Self::new(
            503,
            "directory_unable",
            "this directory cannot note anything at the moment; nothing was lost that it had noted",
            "send it again in a minute, and to the network's other directories",
        )
    }
}
