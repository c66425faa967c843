//! What went wrong on the way to an answer, and how the chat is told: by the name the API has for it, in a sentence.

/// Why there is no answer, or not all of one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing listens where the proxy should be.
    Unreachable,
    /// An error status.
    Refused {
        status: u16,
        code: String,
        /// The proxy itself refused, because the enclave's evidence does not satisfy its policy.
        untrusted: bool,
        /// Seconds, from Retry-After.
        wait: Option<u64>,
    },
    /// The answer began and ended early, for this reason.
    BrokeOff(String),
}

impl Trouble {
    /// The code, for logs.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Unreachable => "proxy_unreachable",
            Self::Refused { code, .. } | Self::BrokeOff(code) => code,
        }
    }

    /// What the chat is told.
    pub(crate) fn sentence(&self) -> String {
        let Self::Refused {
            status,
            code,
            untrusted,
            wait,
        } = self
        else {
            return match self {
                Self::BrokeOff(code) => format!("The answer broke off here ({code}). Please ask again."),
                _ => "The bot's proxy cannot be reached, so your message went nowhere. Please tell the bot's owner.".into(),
            };
        };
        let again = match wait {
            Some(1) => "Please ask again in 1 second.".to_owned(),
            Some(seconds) => format!("Please ask again in {seconds} seconds."),
            None => "Please ask again later.".to_owned(),
        };
        match (status, code.as_str()) {
            _ if *untrusted => format!(
                "The enclave could not be verified ({code}), so nothing that it says is shown. Please tell the bot's owner."
            ),
            (402, _) => {
                format!("The bot cannot pay for this answer ({code}). Please tell the bot's owner.")
            }
            (429, _) => format!("The model has too much to do ({code}). {again}"),
            (503, _) => format!("No provider can answer now ({code}). {again}"),
            (_, "context_length_exceeded") | (413, _) => {
                format!(
                    "This conversation is too long for the model ({code}). Send /forget, then ask again."
                )
            }
            (400..=499, _) => {
                format!("The model does not take this ({code}). Please tell the bot's owner.")
            }
            _ => format!("The model failed ({code}). {again}"),
        }
    }
}
