//! Private keys of those who sign. They are openssl's to make, and live in files that never enter a repository.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use chrysalis_attestation::release::{Envelope, PublicKey};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use zeroize::Zeroizing;

use crate::files::read;

/// A PEM file with such a key has some 240 bytes.
const MAX_FILE: usize = 16 * 1024;

/// A key to sign with.
pub(crate) struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    /// Reads PKCS #8 PEM.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let file = fs::metadata(path)
            .and_then(|metadata| match metadata.len() {
                length if length > MAX_FILE as u64 => Ok(Vec::new()),
                _ => fs::read(path),
            })
            .map(Zeroizing::new)
            .with_context(|| format!("cannot read the key {}", path.display()))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&file)
            .ok()
            .and_then(|pkcs8| Self::from_pkcs8(pkcs8.secret_pkcs8_der()));
        key.with_context(|| {
            format!(
                "{} is no key that signs here; `openssl genpkey -algorithm ed25519` makes one, `openssl pkcs8 -topk8 -nocrypt` \
                 rewrites an older P-256 one",
                path.display()
            )
        })
    }

    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        // openssl leaves the public half out of Ed25519 keys, so there is nothing to compare with.
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let public = PublicKey::from_ed25519(pair.public_key().as_ref().try_into().ok()?);
            let pair = Pair::Ed25519(pair);
            return Some(Self { pair, public });
        }
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random).ok()?;
        let public = PublicKey::from_p256(pair.public_key().as_ref().try_into().ok()?).ok()?;
        let pair = Pair::P256(pair);
        Some(Self { pair, public })
    }

    /// The public half.
    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::P256(pair) => match pair.sign(&SystemRandom::new(), message) {
                Ok(signature) => Ok(signature.as_ref().to_vec()),
                Err(_) => bail!("this machine gave no random numbers to sign with"),
            },
        }
    }

    /// Signs an envelope, as JSON.
    pub(crate) fn seal(&self, envelope: Envelope) -> anyhow::Result<String> {
        let signature = self.sign(&envelope.to_be_signed())?;
        Ok(envelope.with_signature(&self.public, signature).to_json())
    }
}

/// Reads a public key.
pub(crate) fn read_public(path: &Path) -> anyhow::Result<PublicKey> {
    let file = read(path, MAX_FILE)?;
    PublicKey::read(&file).map_err(|rejection| {
        anyhow::anyhow!("{}: {rejection}; {}", path.display(), rejection.hint())
    })
}
