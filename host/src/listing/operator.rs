//! The operator's key: it signs what is listed, and is nobody's purse. It lies in a file that only its owner can read.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{anyhow, ensure};
use chrysalis_attestation::encoding::pem;
use chrysalis_settle::Sign;
use ring::signature::{Ed25519KeyPair, KeyPair};

/// A PEM file with such a key has 119 bytes; openssl writes notes around some.
const MAX_FILE: u64 = 16 * 1024;
/// What others may do with a file, in its mode.
const OTHERS: u32 = 0o077;
const MAKE: &str = "`chrysalis-image key operator --key FILE` makes one";

/// Who lists.
pub(super) struct Operator(Ed25519KeyPair);

impl Operator {
    /// Reads PKCS #8 PEM without a passphrase: a host starts without a person to ask.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let unread =
            |error| anyhow!("cannot read the operator's key {shown}: {error}\nhint: {MAKE}");
        let found = fs::metadata(path).map_err(unread)?;
        ensure!(
            found.permissions().mode() & OTHERS == 0,
            "others can read the operator's key {shown}\nhint: chmod 600 {shown}"
        );
        ensure!(
            found.len() <= MAX_FILE,
            "{shown} is no operator's key\nhint: {MAKE}"
        );
        let blocks = pem::blocks(&fs::read(path).map_err(unread)?).unwrap_or_default();
        match &blocks[..] {
            [block] if block.label == "ENCRYPTED PRIVATE KEY" => Err(anyhow!(
                "the operator's key {shown} has a passphrase, which nobody types when the host starts\nhint: {MAKE} without"
            )),
            [block] if block.label == "PRIVATE KEY" => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&block.der);
                pair.map(Self)
                    .map_err(|_| anyhow!("{shown} is no Ed25519 key\nhint: {MAKE}"))
            }
            _ => Err(anyhow!("{shown} is no operator's key\nhint: {MAKE}")),
        }
    }

    /// The public half, which names the operator.
    pub(super) fn key(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap_or_default()
    }
}

impl Sign for Operator {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign(digest).as_ref().try_into().ok()
    }
}
