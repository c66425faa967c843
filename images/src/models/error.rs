//! Why a file or a folder is no model.

/// What is wrong with it. Messages end with what to do next.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotModel {
    /// Neither GGUF nor whisper.cpp's GGML.
    #[error(
        "it begins with the bytes {}, not with those of GGUF or of whisper.cpp's GGML\n\
         hint: name a GGUF file, or a folder of safetensors",
        hex::encode(magic)
    )]
    UnknownFormat {
        /// Its first four bytes.
        magic: [u8; 4],
    },

    /// A version of GGUF that this program does not read.
    #[error(
        "it is GGUF version {version}\nhint: convert it to version 3, which every current tool writes"
    )]
    Version {
        /// What it says.
        version: u32,
    },

    /// Numbers in the other byte order.
    #[error("it is GGUF for big-endian machines\nhint: get or convert the little-endian file")]
    BigEndian,

    /// It ends before what it announces.
    #[error("it ends before its {what}\nhint: fetch it again: it was cut off, or is no model")]
    Truncated {
        /// What was being read.
        what: &'static str,
    },

    /// More than any model has.
    #[error(
        "its {what} is {found}, and at most {most} can be right\nhint: fetch it again: it is damaged, or no model"
    )]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// What it announces.
        found: u64,
        /// The limit.
        most: u64,
    },

    /// A value that the format does not allow.
    #[error(
        "its {what} cannot be read\nhint: fetch it again: it is damaged, or of a format that this program does not know"
    )]
    Malformed {
        /// Of what.
        what: &'static str,
    },

    /// Something that every model has.
    #[error("it has no {what}\nhint: name the whole model: {whole}")]
    Missing {
        /// What.
        what: &'static str,
        /// Where it would be.
        whole: &'static str,
    },

    /// The operating system refused.
    #[error("it cannot be read: {reason}\nhint: check the path and the disk")]
    Unreadable {
        /// Its reason.
        reason: String,
    },
}

impl NotModel {
    pub(super) fn malformed(what: &'static str) -> Self {
        Self::Malformed { what }
    }

    /// A number, unless it is larger than any that can be right.
    pub(super) fn at_most(what: &'static str, found: u64, most: u64) -> Result<u64, Self> {
        if found > most {
            return Err(Self::TooMuch { what, found, most });
        }
        Ok(found)
    }
}
