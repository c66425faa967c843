//! How TLS keys are agreed: X25519MLKEM768 first, because what is recorded today may be read one day by a quantum computer.
//!
//! The hybrid of draft-ietf-tls-ecdhe-mlkem §4: shares and secrets are those of ML-KEM-768 (FIPS 203), followed by those of X25519. It
//! is secret for as long as either of them is. X25519 is ring's; ring has no ML-KEM.

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
pub(super) fn provider() -> CryptoProvider {
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

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::aws_lc_rs::kx_group::X25519MLKEM768 as AWS_LC;
    use shake::{ExtendableOutput, Shake128, Update, XofReader};

    /// Bytes of an X25519 public key.
    const X25519_KEY: usize = 32;

    /// One side starts, the other answers.
    fn agreed(one: &dyn SupportedKxGroup, other: &dyn SupportedKxGroup) {
        let started = one.start().unwrap();
        assert_eq!(started.pub_key().len(), ENCAPSULATION_KEY + X25519_KEY);
        let answered = other.start_and_complete(started.pub_key()).unwrap();
        assert_eq!(answered.pub_key.len(), CIPHERTEXT + X25519_KEY);
        assert_eq!(answered.group, NamedGroup::X25519MLKEM768);
        let secret = started.complete(&answered.pub_key).unwrap();
        assert_eq!(secret.secret_bytes(), answered.secret.secret_bytes());
        assert_eq!(secret.secret_bytes().len(), 64);
    }

    #[test]
    fn agrees_with_itself_and_with_aws_lc_on_either_end() {
        agreed(&Hybrid, &Hybrid);
        agreed(AWS_LC, &Hybrid);
        agreed(&Hybrid, AWS_LC);
    }

    #[test]
    fn each_agreement_has_secrets_of_its_own() {
        let started = Hybrid.start().unwrap();
        let again = Hybrid.start().unwrap();
        assert_ne!(started.pub_key(), again.pub_key());
        let [one, other] = [0, 1].map(|_| Hybrid.start_and_complete(started.pub_key()).unwrap());
        assert_ne!(one.secret.secret_bytes(), other.secret.secret_bytes());
        assert_ne!(one.pub_key[..32], other.pub_key[..32]);
    }

    #[test]
    fn refuses_shares_that_are_none() {
        let share = Hybrid.start().unwrap().pub_key().to_vec();
        let refused = |share: &[u8]| {
            let error = Hybrid.start_and_complete(share).err().unwrap();
            assert_eq!(error, PeerMisbehaved::InvalidKeyShare.into());
        };
        for length in [0, 32, ENCAPSULATION_KEY, share.len() - 1] {
            refused(&share[..length]);
        }
        refused(&[share.as_slice(), &[0]].concat());
        // FIPS 203 §7.2: a coefficient that is not reduced modulo q.
        let mut unreduced = share.clone();
        unreduced[..2].fill(0xff);
        refused(&unreduced);
        // RFC 7748 §6.1: a point of small order gives a secret that everybody knows.
        let mut small = share;
        small[ENCAPSULATION_KEY..].fill(0);
        refused(&small);
        let answer = |length| Hybrid.start().unwrap().complete(&vec![1; length]).err();
        for length in [0, 32, CIPHERTEXT, CIPHERTEXT + X25519_KEY + 1] {
            assert_eq!(answer(length), Some(PeerMisbehaved::InvalidKeyShare.into()));
        }
    }

    /// The hash of Go's `crypto/mlkem` over 100 keys, encapsulations and implicit rejections from one stream. (The hash of 10,000 with
    /// the expanded keys, C2SP's CCTV for ML-KEM-768, was compared once: it takes minutes here.)
    #[test]
    fn ml_kem_gives_the_accumulated_vector() {
        let mut stream = Shake128::default().finalize_xof();
        let mut all = Shake128::default();
        for _ in 0..100 {
            let (mut seed, mut chosen) = ([0; 64], [0; 32]);
            let mut noise = [0; CIPHERTEXT];
            stream.read(&mut seed);
            stream.read(&mut chosen);
            stream.read(&mut noise);
            let (secret, public) = MlKem768::from_seed(&seed.into());
            let (ciphertext, shared) = public.encapsulate_deterministic(&chosen.into());
            assert_eq!(secret.decapsulate(&ciphertext), shared);
            all.update(&public.to_bytes());
            all.update(&ciphertext);
            all.update(&shared);
            all.update(&secret.decapsulate(&noise.into()));
        }
        let mut digest = [0; 32];
        all.finalize_xof().read(&mut digest);
        assert_eq!(
            hex::encode(digest),
            "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415"
        );
    }
}
