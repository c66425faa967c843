//! The gateway's side: keys, and requests opened with them.

use hpke::{
    Deserializable, Kem, OpModeR, Serializable,
    kem::{X25519HkdfSha256, XWing},
    setup_receiver,
};
use zeroize::Zeroizing;

use crate::{
    AEAD, Error, Form, HEADER, KDF,
    chunks::{self, Sealer},
    key::{
        AnswerKey, NONCE, X_WING, X_WING_LENGTHS, X25519, X25519_LENGTHS, X25519Receiver,
        XWingReceiver,
    },
};

/// Bytes of randomness that a gateway's keys are made from.
pub const SEED: usize = 64;

/// A gateway's keys: X-Wing, which lasts, and X25519 for clients that know nothing else.
pub struct GatewayKeys {
    identifier: u8,
    // On the heap, so that moving the keys leaves no copies behind; hpke overwrites them when they are dropped.
    x_wing: Box<<XWing as Kem>::PrivateKey>,
    x25519: Box<<X25519HkdfSha256 as Kem>::PrivateKey>,
    configurations: Vec<u8>,
}

/// A request that was for these keys.
pub struct Opened {
    /// Binary HTTP, with its padding.
    pub message: Vec<u8>,
    /// What the client encapsulated: each honest request has its own, so one that comes twice is a replay.
    pub encapsulated: Vec<u8>,
    /// What the answer is sealed with.
    pub answering: Answering,
}

/// What an answer is sealed with.
pub struct Answering {
    form: Form,
    encapsulated: Vec<u8>,
    secret: Zeroizing<[u8; NONCE]>,
}

impl GatewayKeys {
    /// Keys from `seed`, which must be random and is not kept. Of the key identifiers, this and the next are theirs: keys that are
    /// in use at the same time must not share any.
    pub fn new(identifier: u8, seed: &Zeroizing<[u8; SEED]>) -> Self {
        let (first, second) = seed.split_at(SEED / 2);
        let (x_wing, x_wing_public) = XWing::derive_keypair(first);
        let (x25519, x25519_public) = X25519HkdfSha256::derive_keypair(second);
        let configurations = [
            configuration(identifier, X_WING, &x_wing_public.to_bytes()),
            configuration(
                identifier.wrapping_add(1),
                X25519,
                &x25519_public.to_bytes(),
            ),
        ];
        Self {
            identifier,
            x_wing: Box::new(x_wing),
            x25519: Box::new(x25519),
            configurations: configurations.concat(),
        }
    }

    /// What clients need: [`crate::KEYS_TYPE`], X-Wing first.
    pub fn configurations(&self) -> &[u8] {
        &self.configurations
    }

    /// Opens a request that has arrived whole, in either form.
    pub fn open(&self, form: Form, request: &[u8]) -> Result<Opened, Error> {
        let (header, rest) = request
            .split_first_chunk::<HEADER>()
            .ok_or(Error::Truncated)?;
        let info = [form.request_label(), &[0], header].concat();
        let of = |identifier: u8, kem: u16| header_of(identifier, kem) == *header;
        if of(self.identifier, X_WING) {
            let (encapsulated, sealed) = cut(rest, X_WING_LENGTHS.1)?;
            let mut receiver = self.x_wing(encapsulated, &info)?;
            let message = chunks::open(form, sealed, |sealed, aad| receiver.open(sealed, aad))?;
            opened(form, message, encapsulated, |label, secret| {
                receiver.export(label, secret)
            })
        } else if of(self.identifier.wrapping_add(1), X25519) {
            let (encapsulated, sealed) = cut(rest, X25519_LENGTHS.1)?;
            let mut receiver = self.x25519(encapsulated, &info)?;
            let message = chunks::open(form, sealed, |sealed, aad| receiver.open(sealed, aad))?;
            opened(form, message, encapsulated, |label, secret| {
                receiver.export(label, secret)
            })
        } else {
            Err(Error::UnknownKey)
        }
    }

    fn x_wing(&self, encapsulated: &[u8], info: &[u8]) -> Result<XWingReceiver, Error> {
        <XWing as Kem>::EncappedKey::from_bytes(encapsulated)
            .and_then(|key| setup_receiver(&OpModeR::Base, &*self.x_wing, &key, info))
            .map_err(|_| Error::Undecryptable)
    }

    fn x25519(&self, encapsulated: &[u8], info: &[u8]) -> Result<X25519Receiver, Error> {
        <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated)
            .and_then(|key| setup_receiver(&OpModeR::Base, &*self.x25519, &key, info))
            .map_err(|_| Error::Undecryptable)
    }
}

/// What every request for this key begins with.
pub(crate) fn header_of(identifier: u8, kem: u16) -> [u8; HEADER] {
    let [kem_high, kem_low] = kem.to_be_bytes();
    let [kdf_high, kdf_low] = KDF.to_be_bytes();
    let [aead_high, aead_low] = AEAD.to_be_bytes();
    [
        identifier, kem_high, kem_low, kdf_high, kdf_low, aead_high, aead_low,
    ]
}

/// RFC 9458 §3.1 and §3.2, with its length in front.
fn configuration(identifier: u8, kem: u16, public: &[u8]) -> Vec<u8> {
    let suites = [KDF.to_be_bytes(), AEAD.to_be_bytes()].concat();
    let configuration = [
        &[identifier][..],
        &kem.to_be_bytes(),
        public,
        &[0, 4],
        &suites,
    ]
    .concat();
    // A public key has at most 1216 bytes.
    let length = u16::try_from(configuration.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], &configuration].concat()
}

fn cut(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), Error> {
    bytes.split_at_checked(at).ok_or(Error::Truncated)
}

fn opened(
    form: Form,
    message: Vec<u8>,
    encapsulated: &[u8],
    export: impl FnOnce(&[u8], &mut [u8]) -> Result<(), hpke::HpkeError>,
) -> Result<Opened, Error> {
    let mut secret = Zeroizing::new([0; NONCE]);
    export(form.answer_label(), secret.as_mut_slice()).map_err(|_| Error::Unencryptable)?;
    Ok(Opened {
        message,
        encapsulated: encapsulated.to_vec(),
        answering: Answering {
            form,
            encapsulated: encapsulated.to_vec(),
            secret,
        },
    })
}

impl Answering {
    /// The form in which the answer is due: that of the request.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Seals an answer in chunks. `nonce` must be random; the answer begins with it.
    pub fn begin(self, nonce: &[u8; NONCE]) -> Result<Sealer, Error> {
        AnswerKey::new(&self.secret, &self.encapsulated, nonce).map(Sealer::new)
    }

    /// Seals a whole answer. `nonce` must be random.
    pub fn seal(self, nonce: &[u8; NONCE], message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut key = AnswerKey::new(&self.secret, &self.encapsulated, nonce)?;
        Ok([&nonce[..], &key.seal(message, &[])?].concat())
    }
}
