//! Why there are no keys.

use chrysalis_wire::frame::FrameError;

use crate::host::HostError;

/// No keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    /// `keys_refused`
    #[error("the key server refused: {why} ({code})")]
    Refused { code: String, why: String },
    /// `keys_unreachable`
    #[error("the key server was not reached: {0}")]
    Unreachable(String),
    /// `keys_misspoke`
    #[error("the key server {0}")]
    Misspoke(&'static str),
}

impl KeysError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "keys_refused",
            Self::Unreachable(_) => "keys_unreachable",
            Self::Misspoke(_) => "keys_misspoke",
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Refused { .. } => {
                "ask the model's owner whether their policy lists this image, this configuration and this hardware"
            }
            Self::Unreachable(_) => {
                "check that this machine reaches the address under [keys] in the configuration, and that certificate_sha256 is that of the server"
            }
            Self::Misspoke(_) => {
                "ask the model's owner to run `chrysalis keys serve` of the image's release"
            }
        }
    }
}

impl From<HostError> for KeysError {
    fn from(error: HostError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl From<FrameError> for KeysError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Closed | FrameError::Io(_) => Self::Unreachable(error.to_string()),
            _ => Self::Misspoke("sent something that makes no sense"),
        }
    }
}
