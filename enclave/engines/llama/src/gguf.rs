//! The first 24 bytes of a GGUF file, checked before llama.cpp reads the rest: llama.cpp's own reasons go to a log that the
//! worker keeps closed, and these are reasons that a person can act on.

use std::io::{self, Read};

/// The start of every GGUF file.
const MAGIC: [u8; 4] = *b"GGUF";
/// The versions that llama.cpp reads.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=3;
/// The most tensors and the most keys that are accepted: ten times what the largest models have.
const MAX_ENTRIES: u64 = 1 << 16;

/// Weights that cannot be what they should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The file could not be read.
    #[error("the weights cannot be read")]
    Io(#[from] io::Error),
    /// Empty, or almost empty.
    #[error("the weights end inside their header; compare the file with its SHA-256")]
    Cut,
    /// Another format, or damaged.
    #[error(
        "the weights begin with {0:02x?}, not with \"GGUF\"; compare the file with its SHA-256"
    )]
    Magic([u8; 4]),
    /// Another version.
    #[error("the weights are GGUF version {0}; this engine reads versions 2 and 3")]
    Version(u32),
    /// A count that no model has.
    #[error(
        "the weights claim {tensors} tensors and {keys} keys; compare the file with its SHA-256"
    )]
    Counts {
        /// Tensors claimed.
        tensors: u64,
        /// Metadata keys claimed.
        keys: u64,
    },
}

/// Checks the beginning of a weights file.
pub fn check(file: &mut impl Read) -> Result<(), GgufError> {
    let magic = bytes(file)?;
    if magic != MAGIC {
        return Err(GgufError::Magic(magic));
    }
    let version = u32::from_le_bytes(bytes(file)?);
    if !VERSIONS.contains(&version) {
        return Err(GgufError::Version(version));
    }
    let tensors = u64::from_le_bytes(bytes(file)?);
    let keys = u64::from_le_bytes(bytes(file)?);
    let believable = 1..=MAX_ENTRIES;
    if !believable.contains(&tensors) || !believable.contains(&keys) {
        return Err(GgufError::Counts { tensors, keys });
    }
    Ok(())
}

fn bytes<const N: usize>(file: &mut impl Read) -> Result<[u8; N], GgufError> {
    let mut bytes = [0; N];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(GgufError::Cut),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: u32, tensors: u64, keys: u64) -> Vec<u8> {
        [
            &MAGIC[..],
            &version.to_le_bytes(),
            &tensors.to_le_bytes(),
            &keys.to_le_bytes(),
        ]
        .concat()
    }

    #[test]
    fn accepts_a_header_that_a_model_has() {
        check(&mut &*header(3, 272, 33)).unwrap();
    }

    #[test]
    fn names_another_magic() {
        let mut file = header(3, 272, 33);
        file[0] ^= 1;
        assert!(matches!(check(&mut &*file), Err(GgufError::Magic(magic)) if magic == *b"FGUF"));
    }

    #[test]
    fn names_another_version() {
        assert!(matches!(
            check(&mut &*header(4, 272, 33)),
            Err(GgufError::Version(4))
        ));
    }

    #[test]
    fn refuses_counts_that_no_model_has() {
        for (tensors, keys) in [(0, 33), (272, 0), (u64::MAX, 33), (272, 1 << 17)] {
            assert!(matches!(
                check(&mut &*header(3, tensors, keys)),
                Err(GgufError::Counts { .. })
            ));
        }
    }

    #[test]
    fn names_a_file_that_ends_inside_the_header() {
        let cut = &header(3, 272, 33)[..23];
        assert!(matches!(check(&mut &*cut), Err(GgufError::Cut)));
    }
}
