//! How TLS keys are agreed: X25519MLKEM768 first, because what is recorded today may be read one day by a quantum computer.
//!
//! The hybrid of draft-ietf-tls-ecdhe-mlkem §4: shares and secrets are those of ML-KEM-768 (FIPS 203), followed by those of X25519. It
//! is secret for as long as either of them is. X25519 is ring's; ring has no ML-KEM.

#[cfg(test)]
mod tests;

use ml_kem::{
    B32, EncapsulationKey, KeyExport, MlKem768, Seed,
    kem::{Decapsulate, FromSeed},
    ml_kem_768::DecapsulationKey,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::{
    Error, NamedGroup, PeerMisbehaved, ProtocolVersion,
    crypto::{
        ActiveKeyExchange, CompletedKeyExchange, CryptoProvider, GetRandomFailed, SharedSecret,
        SupportedKxGroup,
        ring::{
            default_provider,
            kx_group::{SECP256R1, SECP384R1, X25519},
        },
    },
    ffdhe_groups::FfdheGroup,
};
use zeroize::Zeroizing;

/// Bytes of an ML-KEM-768 encapsulation key, which a client sends before its X25519 key.
const ENCAPSULATION_KEY: usize = 1184;
/// Bytes of an ML-KEM-768 ciphertext, which a server sends before its X25519 key.
const CIPHERTEXT: usize = 1088;

/// ring, and the hybrid before all of ring's groups.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![&Hybrid, X25519, SECP256R1, SECP384R1],
        ..default_provider()
    }
}

/// X25519MLKEM768.
#[derive(Debug)]
struct Hybrid;

impl SupportedKxGroup for Hybrid {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let classical = X25519.start()?;
        let (decapsulation, encapsulation) = MlKem768::from_seed(&Seed::from(*random()?));
        let share = [&encapsulation.to_bytes(), classical.pub_key()].concat();
        Ok(Box::new(Started {
            classical,
            decapsulation,
            share,
        }))
    }

    fn start_and_complete(&self, peer: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (key, x25519) = split(peer, ENCAPSULATION_KEY)?;
        let key = key.try_into().map_err(|_| invalid())?;
        let key = EncapsulationKey::<MlKem768>::new(key).map_err(|_| invalid())?;
        let classical = X25519.start_and_complete(x25519)?;
        let (ciphertext, secret) = key.encapsulate_deterministic(&B32::from(*random()?));
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: [&ciphertext, classical.pub_key.as_slice()].concat(),
            secret: both(Zeroizing::new(secret.into()), &classical.secret),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

/// A client's side: the enclave has none, but its tests do.
struct Started {
    classical: Box<dyn ActiveKeyExchange>,
    decapsulation: DecapsulationKey,
    share: Vec<u8>,
}

impl ActiveKeyExchange for Started {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let (ciphertext, x25519) = split(peer, CIPHERTEXT)?;
        let secret = self.decapsulation.decapsulate_slice(ciphertext);
        let secret = secret.map_err(|_| invalid())?;
        let classical = self.classical.complete(x25519)?;
        Ok(both(Zeroizing::new(secret.into()), &classical))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }
}

/// A share's two parts. ring checks the length of the second.
fn split(share: &[u8], first: usize) -> Result<(&[u8], &[u8]), Error> {
    share.split_at_checked(first).ok_or_else(invalid)
}

/// The secret of both: rustls overwrites it when it is no longer needed.
#[expect(clippy::needless_pass_by_value, reason = "it is overwritten here")]
fn both(post_quantum: Zeroizing<[u8; 32]>, classical: &SharedSecret) -> SharedSecret {
    [post_quantum.as_slice(), classical.secret_bytes()]
        .concat()
        .into()
}

fn invalid() -> Error {
    PeerMisbehaved::InvalidKeyShare.into()
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, Error> {
    let mut bytes = Zeroizing::new([0; N]);
    match SystemRandom::new().fill(bytes.as_mut_slice()) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(GetRandomFailed.into()),
    }
}
