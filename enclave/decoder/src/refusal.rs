//! Why there is no WAV file: in words for people, and in an exit code for programs.

use std::{fmt, io};

use crate::limits::{MAX_FILE, MAX_SECONDS};

/// Why there is no WAV file.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No container or no codec that it knows.
    Unknown,
    /// Longer than it may be.
    TooLong,
    /// Damaged, or cut short within its first second.
    Broken,
    /// A container without audio, such as a silent video.
    NoAudio,
    /// Standard input or output fails.
    Io(io::Error),
}

impl Refusal {
    /// The exit code that says so.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Io(_) => 1,
            Self::Unknown => 3,
            Self::TooLong => 4,
            Self::Broken => 5,
            Self::NoAudio => 6,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(
                to,
                "this is no audio that the decoder knows\nhint: send OGG, MP3, WAV, M4A, FLAC or WebM"
            ),
            Self::TooLong => write!(
                to,
                "longer than {} s, or larger than {} MiB\nhint: send it in shorter pieces",
                MAX_SECONDS,
                MAX_FILE >> 20
            ),
            Self::Broken => write!(to, "the file is damaged or cut short\nhint: send it again"),
            Self::NoAudio => write!(
                to,
                "the file has no track of audio\nhint: send a file with sound"
            ),
            Self::Io(error) => write!(
                to,
                "{error}\nhint: give a file on standard input, and read standard output to its end"
            ),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
