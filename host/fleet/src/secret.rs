//! Who may drain a machine: each has a token of its own, made from one secret that only the operator has. A machine knows the token's
//! SHA-256, which its pod may show to anyone, so the secret is in no pod, and a token that somebody overhears drains one that drains.

use std::{fs, path::Path};

use anyhow::{anyhow, ensure};
use chrysalis_attestation::encoding::digest::sha256;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};

/// The fewest bytes of a secret.
const LEAST: usize = 32;
/// What a name's random end is made of: no vowels, so that it spells nothing.
const LETTERS: &[u8; 32] = b"bcdfghjklmnpqrstvwxz2456789bcdfg";

/// The operator's secret.
pub(crate) struct Secret(hmac::Key);

impl Secret {
    /// Reads it: whatever bytes, as `openssl rand -hex 32` writes them.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let bytes = fs::read(path).map_err(|error| {
            anyhow!("cannot read {shown}: {error}\nhint: make one with `openssl rand -hex 32`")
        })?;
        Self::of(bytes.trim_ascii()).map_err(|error| anyhow!("{shown}: {error}"))
    }

    fn of(bytes: &[u8]) -> anyhow::Result<Self> {
        ensure!(
            bytes.len() >= LEAST,
            "a secret has {LEAST} bytes at least\nhint: make one with `openssl rand -hex 32`"
        );
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// The token of the machine in this pod.
    pub(crate) fn token(&self, namespace: &str, pod: &str) -> String {
        let text = format!("chrysalis/drain/v1\0{namespace}\0{pod}");
        hex::encode(hmac::sign(&self.0, text.as_bytes()))
    }

    /// What the machine knows of it.
    pub(crate) fn digest(&self, namespace: &str, pod: &str) -> String {
        hex::encode(sha256(&[self.token(namespace, pod).as_bytes()]))
    }
}

/// The end of a pod's name: 40 bits by chance, so that no name comes again.
pub(crate) fn random_end() -> anyhow::Result<String> {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| anyhow!("the system gives no random numbers"))?;
    let letters = bytes.map(|byte| LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'x'));
    Ok(letters.map(char::from).iter().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_token_is_one_pods_alone() {
        let (one, other) = (Secret::of(&[7; 32]).unwrap(), Secret::of(&[8; 32]).unwrap());
        assert_eq!(one.token("a", "b"), one.token("a", "b"));
        for different in [
            one.token("a", "c"),
            one.token("c", "b"),
            one.token("ab", ""),
            other.token("a", "b"),
        ] {
            assert_ne!(one.token("a", "b"), different);
        }
        assert!(Secret::of(&[7; 31]).is_err());
        assert_ne!(random_end().unwrap(), random_end().unwrap());
    }
}
