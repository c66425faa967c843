//! The descriptor of a network: signed by several people, one after the other or all at once, and shown to anyone who has their keys.

use std::path::Path;

use chrysalis_attestation::{
    Time,
    encoding::digest::Hex,
    release::{Envelope, MAX_ENVELOPE, PublicKey},
};
use chrysalis_network::{Descriptor, MAX_DESCRIPTOR, NETWORK, Rejection, Signers};

use super::{
    error::Error,
    files::{if_there, read, write},
    key::SigningKey,
};

/// Whether a descriptor that others have signed is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// These are the first.
    First,
    /// They come beside those that are there, of the same descriptor.
    Added,
}

/// Signs a descriptor as a person wrote it. Returns it, and how many signatures it has now.
pub fn sign(
    toml: &Path,
    keys: &[SigningKey],
    signatures: Signatures,
    out: &Path,
    now: Time,
) -> Result<(Descriptor, usize), Error> {
    let text = read(toml, MAX_DESCRIPTOR)?;
    legible(toml, &text)?;
    let wanted = Descriptor::envelope(text).map_err(refused(toml))?;
    let mut envelope = match (signatures, if_there(out, MAX_ENVELOPE)?) {
        (Signatures::First, None) => wanted,
        (Signatures::First, Some(_)) => return Err(Error::Exists(out.to_owned())),
        (Signatures::Added, None) => {
            let why = "is not there\nhint: leave --add out for the first signatures";
            return Err(Error::unfit(out, why));
        }
        (Signatures::Added, Some(bytes)) => {
            let there = Envelope::parse(&bytes).map_err(Error::refused(out))?;
            if there.to_be_signed() != wanted.to_be_signed() {
                let why = format!(
                    "holds another descriptor than {}\nhint: compare the two, and sign what the others signed",
                    toml.display()
                );
                return Err(Error::unfit(out, why));
            }
            there
        }
    };
    for key in keys {
        let named = key.public().id().to_string();
        let is_there = envelope.claimed_keys().any(|claimed| claimed == named);
        if is_there {
            let why = format!("has a signature of {named} already\nhint: sign with another key");
            return Err(Error::unfit(out, why));
        }
        envelope = key.signed(envelope)?;
    }
    let json = envelope.to_json();
    // What is signed here must be what readers take: better told now than by each of them.
    let signers = Signers {
        keys: keys.iter().map(|key| key.public().clone()).collect(),
        at_least: keys.len(),
    };
    let verified = Descriptor::verify(json.as_bytes(), &signers, now, |_| None);
    let (descriptor, _) = verified.map_err(refused(toml))?;
    write(out, json.as_bytes())?;
    Ok((descriptor, envelope.claimed_keys().count()))
}

/// A descriptor that so many of the keys signed, SHA-256 of it, and which of them did.
pub fn show(
    path: &Path,
    signers: &Signers,
    now: Time,
) -> Result<(Descriptor, Hex<32>, Vec<PublicKey>), Error> {
    let bytes = read(path, MAX_ENVELOPE)?;
    let (descriptor, digest) =
        Descriptor::verify(&bytes, signers, now, |_| None).map_err(refused(path))?;
    let envelope = Envelope::parse(&bytes).map_err(Error::refused(path))?;
    let signed = |key: &&PublicKey| envelope.payload_of(NETWORK, key).is_ok();
    let signed = signers.keys.iter().filter(signed).cloned().collect();
    Ok((descriptor, digest, signed))
}

/// Says in which line a person misspelt something; the descriptor's own reader says what is wrong, and not where.
fn legible(path: &Path, text: &[u8]) -> Result<(), Error> {
    let Ok(text) = std::str::from_utf8(text) else {
        let why = "is not UTF-8 text\nhint: write it as TOML";
        return Err(Error::unfit(path, why));
    };
    let read: Result<Descriptor, _> = toml::from_str(text);
    read.map(drop).map_err(|error| {
        let error = error.to_string();
        let why = format!(
            "is no descriptor: {}\nhint: correct that line; docs/spec/network.md says what a descriptor has",
            error.trim_end()
        );
        Error::unfit(path, why)
    })
}

fn refused(path: &Path) -> impl FnOnce(Rejection) -> Error {
    let path = path.to_owned();
    move |rejection| Error::Network {
        path,
        rejection: Box::new(rejection),
    }
}
