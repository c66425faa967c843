//! What a network is, who is listed in it, and what directories publish.

use std::sync::LazyLock;

use chrysalis_attestation::{encoding::digest::Hex, release::PublicKey};
use chrysalis_network::{
    ClassFile, Delta, Descriptor, Endpoint, MAX_LISTING, Now, Rejection, SignedListing, Signers,
    Upload,
};
use chrysalis_settle::SignedOffer;

use super::NOW;
use crate::seeds::network_key;

/// Signs the descriptors among the seeds.
static KEY: LazyLock<PublicKey> =
    LazyLock::new(|| PublicKey::from_ed25519(network_key()).expect("a key"));

/// A descriptor counts by the keys that are named, and by no other. What nobody signed is read as the envelope's payload.
pub(super) fn descriptor(bytes: &[u8]) {
    let keys = vec![KEY.clone()];
    let signers = Signers { keys, at_least: 1 };
    if let Ok((network, digest)) = Descriptor::verify(bytes, &signers, NOW, |_| None) {
        let again = Descriptor::verify(bytes, &signers, NOW, |_| Some((network.version, digest)));
        assert!(again.is_ok(), "a descriptor is another one the second time");
        let reused = Descriptor::verify(bytes, &signers, NOW, |_| {
            Some((network.version, Hex([1; 32])))
        });
        assert_eq!(
            reused,
            Err(Rejection::DescriptorVersionReused {
                version: network.version
            })
        );
    }
    let two = Signers {
        keys: vec![KEY.clone(), KEY.clone()],
        at_least: 2,
    };
    assert!(
        Descriptor::verify(bytes, &two, NOW, |_| None).is_err(),
        "one key counts twice"
    );
    // What stands in an envelope that is signed.
    let _ = Descriptor::envelope(bytes.to_vec());
}

/// A listing or an offer that is read has one encoding, and its addresses are read back as they are written.
pub(super) fn listing(bytes: &[u8]) {
    if let Ok(listing) = SignedListing::verify(bytes) {
        assert!(bytes.len() <= MAX_LISTING && listing.bytes() == bytes);
        let again = SignedListing::verify(listing.bytes());
        assert_eq!(again.as_ref(), Ok(&listing));
        for endpoint in &listing.listing().endpoints {
            assert_eq!(
                Endpoint::parse(&endpoint.to_string()).as_ref(),
                Some(endpoint)
            );
        }
    }
    if let Ok(offer) = SignedOffer::verify(bytes) {
        let inside = offer.encode();
        let mut places = bytes.windows(inside.len());
        assert!(
            places.any(|part| part == inside),
            "one offer has two encodings"
        );
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(endpoint) = Endpoint::parse(text)
    {
        assert_eq!(endpoint.to_string(), text, "one address has two spellings");
        let _ = endpoint.check_public();
    }
}

/// What is read of a directory is written the same way.
pub(super) fn directory_file(bytes: &[u8]) {
    if let Ok(file) = ClassFile::decode(bytes) {
        assert_eq!(file.encode(), bytes, "one class file has two encodings");
    }
    if let Ok(delta) = Delta::decode(bytes) {
        assert_eq!(delta.encode(), bytes, "one delta has two encodings");
        let mut file = ClassFile {
            network: delta.network,
            weights: delta.weights,
            epoch: delta.from,
            listings: delta.put.clone(),
        };
        let _ = file.apply(delta);
    }
    if let Ok(now) = Now::decode(bytes) {
        assert_eq!(now.encode(), bytes, "one price list has two encodings");
    }
}

/// The body that a directory is sent.
pub(super) fn upload(bytes: &[u8]) {
    if let Ok(upload) = Upload::decode(bytes) {
        assert_eq!(upload.encode(), bytes, "one upload has two encodings");
        let _ = SignedListing::verify(&upload.listing);
    }
}
