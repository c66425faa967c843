//! The two KEMs, and the keys of answers (RFC 9458 §4.4).

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use hpke::{
    aead::{AeadCtxR, ChaCha20Poly1305 as Suite},
    kdf::HkdfSha256,
    kem::{X25519HkdfSha256, XWing},
};
use sha2_011::Sha256;
use zeroize::Zeroizing;

use crate::Error;

/// Bytes of an answer's nonce, and of the secret that is exported for it: the longest of the AEAD's key and nonce.
pub const NONCE: usize = 32;

/// X-Wing in IANA's registry of HPKE's KEMs.
pub(crate) const X_WING: u16 = 0x647a;
/// DHKEM(X25519, HKDF-SHA256) in the same.
pub(crate) const X25519: u16 = 0x0020;
/// Bytes of an X-Wing public key and of what it encapsulates.
pub(crate) const X_WING_LENGTHS: (usize, usize) = (1216, 1120);
/// The same of X25519.
pub(crate) const X25519_LENGTHS: (usize, usize) = (32, 32);

/// A receiver of X-Wing.
pub(crate) type XWingReceiver = AeadCtxR<Suite, HkdfSha256, XWing>;
/// A receiver of DHKEM(X25519).
pub(crate) type X25519Receiver = AeadCtxR<Suite, HkdfSha256, X25519HkdfSha256>;

/// Bytes of an AEAD nonce.
const AEAD_NONCE: usize = 12;

/// The key of an answer, and how many pieces it has sealed or opened. By the library that seals requests inside hpke.
pub(crate) struct AnswerKey {
    key: ChaCha20Poly1305,
    nonce: [u8; AEAD_NONCE],
    count: u64,
}

impl AnswerKey {
    /// From the exported secret, the request's encapsulated key and the answer's nonce.
    pub(crate) fn new(
        secret: &Zeroizing<[u8; NONCE]>,
        encapsulated: &[u8],
        nonce: &[u8; NONCE],
    ) -> Result<Self, Error> {
        let salt = [encapsulated, nonce].concat();
        let extracted = Hkdf::<Sha256>::new(Some(&salt), secret.as_slice());
        let mut key = Zeroizing::new([0; 32]);
        let mut nonce = [0; AEAD_NONCE];
        for (info, output) in [(&b"key"[..], &mut key[..]), (b"nonce", &mut nonce)] {
            let expanded = extracted.expand(info, output);
            expanded.map_err(|_| Error::Unencryptable)?;
        }
        let key = ChaCha20Poly1305::new_from_slice(key.as_slice());
        Ok(Self {
            key: key.map_err(|_| Error::Unencryptable)?,
            nonce,
            count: 0,
        })
    }

    /// Encrypts the next piece.
    pub(crate) fn seal(&mut self, piece: &[u8], aad: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce = self.next().ok_or(Error::Unencryptable)?;
        let sealed = self.key.encrypt(&nonce, Payload { msg: piece, aad });
        sealed.map_err(|_| Error::Unencryptable)
    }

    /// Decrypts the next piece.
    #[cfg(feature = "client")]
    pub(crate) fn open(&mut self, sealed: &[u8], aad: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce = self.next().ok_or(Error::Undecryptable)?;
        let piece = self.key.decrypt(&nonce, Payload { msg: sealed, aad });
        piece.map_err(|_| Error::Undecryptable)
    }

    /// The nonce XOR the count of pieces before this one; none is used twice.
    fn next(&mut self) -> Option<Nonce> {
        let mut nonce = self.nonce;
        let count = self.count.to_be_bytes();
        let low = nonce.iter_mut().rev().zip(count.iter().rev());
        low.for_each(|(byte, count)| *byte ^= count);
        self.count = self.count.checked_add(1)?;
        Some(nonce.into())
    }
}
