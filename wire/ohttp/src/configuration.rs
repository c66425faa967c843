//! Key configurations, as a client reads them (RFC 9458 §3).

use hpke::{
    Deserializable, Kem,
    kem::{X25519HkdfSha256, XWing},
};
use sha2_011::{Digest, Sha256};

use crate::{
    AEAD, Error, KDF,
    key::{X_WING, X_WING_LENGTHS, X25519, X25519_LENGTHS},
};

/// The most bytes of key configurations that are read.
const MAX_CONFIGURATIONS: usize = 64 * 1024;

/// A gateway's key, of which the client knows KEM and suite.
#[derive(Clone)]
pub struct Configuration {
    pub(crate) identifier: u8,
    pub(crate) key: PublicKey,
}

/// A gateway's public key.
#[derive(Clone)]
pub(crate) enum PublicKey {
    XWing(Box<<XWing as Kem>::PublicKey>),
    X25519(<X25519HkdfSha256 as Kem>::PublicKey),
}

impl Configuration {
    /// The best of the key configurations in this list: X-Wing if there is one.
    pub fn best(list: &[u8]) -> Result<Self, Error> {
        let mut rest = list;
        if list.is_empty() || list.len() > MAX_CONFIGURATIONS {
            return Err(Error::Keys);
        }
        let mut known = Vec::new();
        while !rest.is_empty() {
            let (length, after) = number(rest)?;
            let (one, after) = after.split_at_checked(length.into()).ok_or(Error::Keys)?;
            known.extend(read(one)?);
            rest = after;
        }
        let x_wing = known.iter().position(Self::is_post_quantum).unwrap_or(0);
        if known.is_empty() {
            return Err(Error::Suite);
        }
        Ok(known.swap_remove(x_wing))
    }

    /// The X-Wing key of the list whose SHA-256 evidence names. Nothing may be encapsulated for any other: whoever hands out the list
    /// could put a key of its own into it.
    pub fn proved(list: &[u8], digest: &[u8; 32]) -> Result<Self, Error> {
        if Sha256::digest(list).as_slice() != digest {
            return Err(Error::Unproved);
        }
        let best = Self::best(list)?;
        // No enclave offers X25519 alone. One that did would make what is recorded today readable one day.
        if best.is_post_quantum() {
            Ok(best)
        } else {
            Err(Error::Classical)
        }
    }

    /// Whether what is sent to it outlasts a quantum computer: whether it is X-Wing.
    pub fn is_post_quantum(&self) -> bool {
        matches!(self.key, PublicKey::XWing(_))
    }
}

/// One key configuration; `None` if its KEM, or every suite of it, is unknown here.
fn read(bytes: &[u8]) -> Result<Option<Configuration>, Error> {
    let (&identifier, rest) = bytes.split_first().ok_or(Error::Keys)?;
    let (kem, rest) = number(rest)?;
    let (length, _) = match kem {
        X_WING => X_WING_LENGTHS,
        X25519 => X25519_LENGTHS,
        // The length of its key is unknown, and so is where its suites begin.
        _ => return Ok(None),
    };
    let (key, rest) = rest.split_at_checked(length).ok_or(Error::Keys)?;
    let (suites_length, suites) = number(rest)?;
    if suites.len() != usize::from(suites_length) || suites.is_empty() || suites.len() % 4 != 0 {
        return Err(Error::Keys);
    }
    let ours = [KDF.to_be_bytes(), AEAD.to_be_bytes()].concat();
    if suites.chunks(4).all(|suite| suite != ours) {
        return Ok(None);
    }
    let key = match kem {
        X_WING => {
            <XWing as Kem>::PublicKey::from_bytes(key).map(|key| PublicKey::XWing(Box::new(key)))
        }
        _ => <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key).map(PublicKey::X25519),
    };
    let key = key.map_err(|_| Error::Keys)?;
    Ok(Some(Configuration { identifier, key }))
}

fn number(bytes: &[u8]) -> Result<(u16, &[u8]), Error> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Error::Keys)?;
    Ok((u16::from_be_bytes(*number), rest))
}
