//! The two KEMs, and the keys of answers (RFC 9458 §4.4).

use hpke::{
    aead::{AeadCtxR, ChaCha20Poly1305},
    kdf::HkdfSha256,
    kem::{X25519HkdfSha256, XWing},
};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    hkdf::{self, HKDF_SHA256, Salt},
};
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
pub(crate) type XWingReceiver = AeadCtxR<ChaCha20Poly1305, HkdfSha256, XWing>;
/// A receiver of DHKEM(X25519).
pub(crate) type X25519Receiver = AeadCtxR<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>;

/// Bytes of an AEAD nonce.
const AEAD_NONCE: usize = 12;

/// The key of an answer, and how many pieces it has sealed or opened.
pub(crate) struct AnswerKey {
    key: LessSafeKey,
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
        let extracted = Salt::new(HKDF_SHA256, &salt).extract(secret.as_slice());
        let mut key = Zeroizing::new([0; 32]);
        expand(&extracted, b"key", key.as_mut_slice())?;
        let mut nonce = [0; AEAD_NONCE];
        expand(&extracted, b"nonce", &mut nonce)?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice());
        Ok(Self {
            key: LessSafeKey::new(key.map_err(|_| Error::Unencryptable)?),
            nonce,
            count: 0,
        })
    }

    /// Encrypts the next piece.
    pub(crate) fn seal(&mut self, piece: &[u8], aad: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce = self.next().ok_or(Error::Unencryptable)?;
        let mut sealed = piece.to_vec();
        let done = self
            .key
            .seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed);
        done.map_err(|_| Error::Unencryptable)?;
        Ok(sealed)
    }

    /// Decrypts the next piece.
    #[cfg(feature = "client")]
    pub(crate) fn open(&mut self, sealed: &[u8], aad: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce = self.next().ok_or(Error::Undecryptable)?;
        let mut piece = sealed.to_vec();
        let opened = self.key.open_in_place(nonce, Aad::from(aad), &mut piece);
        let length = opened.map_err(|_| Error::Undecryptable)?.len();
        piece.truncate(length);
        Ok(piece)
    }

    /// The nonce XOR the count of pieces before this one; none is used twice.
    fn next(&mut self) -> Option<Nonce> {
        let mut nonce = self.nonce;
        let count = self.count.to_be_bytes();
        let low = nonce.iter_mut().rev().zip(count.iter().rev());
        low.for_each(|(byte, count)| *byte ^= count);
        self.count = self.count.checked_add(1)?;
        Some(Nonce::assume_unique_for_key(nonce))
    }
}

/// So many bytes of output.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(key: &hkdf::Prk, info: &[u8], output: &mut [u8]) -> Result<(), Error> {
    let info = [info];
    let expanded = key.expand(&info, Length(output.len()));
    let filled = expanded.and_then(|expanded| expanded.fill(output));
    filled.map_err(|_| Error::Unencryptable)
}
