//! An SNP ID block and its authentication: signed by the image's makers, checked by the security processor at launch.

use std::{fs, path::Path};

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::encoding::base64;

/// Bytes of an ID block.
const BLOCK: usize = 96;
/// Bytes of an ID authentication.
const AUTH: usize = 4096;
/// Where the author's public key lies in an authentication, and how long it is.
const AUTHOR_KEY: std::ops::Range<usize> = 0x880..0xC84;

/// Both, as `chrysalis measure --id-key` writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdBlock {
    block: Vec<u8>,
    auth: Vec<u8>,
}

impl IdBlock {
    /// Reads both, in base64.
    pub(crate) fn read(block: &Path, auth: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            block: read(block, BLOCK)?,
            auth: read(auth, AUTH)?,
        })
    }

    pub(super) fn block(&self) -> &[u8] {
        &self.block
    }

    pub(super) fn auth(&self) -> &[u8] {
        &self.auth
    }

    /// Whether an author's key stands behind the ID key.
    pub(super) fn names_an_author(&self) -> bool {
        self.auth
            .get(AUTHOR_KEY)
            .is_some_and(|key| key.iter().any(|byte| *byte != 0))
    }
}

fn read(path: &Path, length: usize) -> anyhow::Result<Vec<u8>> {
    const HINT: &str =
        "hint: make one with `chrysalis measure IMAGE_DIR --platform snp --id-key KEY`";
    let text = fs::read_to_string(path)
        .map_err(|error| anyhow!("cannot read {}: {error}\n{HINT}", path.display()))?;
    let bytes = base64::decode(text.trim())
        .with_context(|| format!("{} is not base64\n{HINT}", path.display()))?;
    if bytes.len() != length {
        bail!(
            "{} has {} bytes instead of {length}\n{HINT}",
            path.display(),
            bytes.len()
        );
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64;

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), BASE64.encode(bytes) + "\n").unwrap();
        file
    }

    #[test]
    fn tells_whether_an_author_is_named() {
        let block = written(&[1; BLOCK]);
        let mut auth = [0; AUTH];
        let read = |auth: &[u8]| IdBlock::read(block.path(), written(auth).path()).unwrap();
        assert!(!read(&auth).names_an_author());
        auth[AUTHOR_KEY.start] = 2;
        assert!(read(&auth).names_an_author());
    }

    #[test]
    fn refuses_another_length_and_another_encoding() {
        let auth = written(&[0; AUTH]);
        let short = IdBlock::read(written(&[1; 95]).path(), auth.path()).unwrap_err();
        assert!(
            short.to_string().contains("95 bytes instead of 96"),
            "{short}"
        );
        let raw = tempfile::NamedTempFile::new().unwrap();
        fs::write(raw.path(), "not base64!").unwrap();
        let raw = IdBlock::read(raw.path(), auth.path()).unwrap_err();
        assert!(raw.to_string().contains("is not base64"), "{raw}");
    }
}
