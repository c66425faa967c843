//! The client's side: requests encapsulated, answers opened.

use hpke::{
    Kem, OpModeS, Serializable,
    aead::{AeadCtxS, ChaCha20Poly1305},
    kdf::{HkdfSha256, Kdf},
    kem::{X25519HkdfSha256, XWing},
    setup_sender,
};
use zeroize::Zeroizing;

use crate::{
    Configuration, Error, Form,
    chunks::{FINAL, MAX_CHUNK, put_varint},
    configuration::PublicKey,
    gateway::header_of,
    key::{NONCE, X_WING, X25519},
    opener::Awaiting,
};

/// Encapsulates a message for a gateway.
pub fn encapsulate(
    to: &Configuration,
    form: Form,
    message: &[u8],
) -> Result<(Vec<u8>, Awaiting), Error> {
    match &to.key {
        PublicKey::XWing(key) => sent::<XWing>(key, (to.identifier, X_WING), form, message),
        PublicKey::X25519(key) => {
            sent::<X25519HkdfSha256>(key, (to.identifier, X25519), form, message)
        }
    }
}

fn sent<K: Kem>(
    key: &K::PublicKey,
    (identifier, kem): (u8, u16),
    form: Form,
    message: &[u8],
) -> Result<(Vec<u8>, Awaiting), Error>
where
    HkdfSha256: Kdf,
{
    let header = header_of(identifier, kem);
    let info = [form.request_label(), &[0], &header].concat();
    let (encapsulated, mut sender): (_, AeadCtxS<ChaCha20Poly1305, HkdfSha256, K>) =
        setup_sender(&OpModeS::Base, key, &info).map_err(|_| Error::Keys)?;
    let encapsulated = encapsulated.to_bytes().to_vec();
    let mut secret = Zeroizing::new([0; NONCE]);
    let exported = sender.export(form.answer_label(), secret.as_mut_slice());
    exported.map_err(|_| Error::Unencryptable)?;
    let mut seal = |piece: &[u8], aad: &[u8]| {
        let sealed = sender.seal(piece, aad);
        sealed.map_err(|_| Error::Unencryptable)
    };
    let mut request = [&header[..], &encapsulated].concat();
    match form {
        Form::Whole => request.extend(seal(message, &[])?),
        Form::Chunked => {
            for chunk in message.chunks(MAX_CHUNK) {
                let sealed = seal(chunk, &[])?;
                put_varint(sealed.len(), &mut request);
                request.extend(sealed);
            }
            request.push(0);
            request.extend(seal(&[], FINAL)?);
        }
    }
    let awaiting = Awaiting {
        encapsulated,
        secret,
    };
    Ok((request, awaiting))
}
