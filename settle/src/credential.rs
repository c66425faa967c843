//! What a client shows to be served on a lane: its cap, signed. 110 bytes.

use chrysalis_attestation::{encoding::digest::sha256, evidence::binding::label, verify_ed25519};

use crate::{Rejection, Statement, TabId, Tag, statement::take};

/// Bytes of a credential.
pub const CREDENTIAL_LENGTH: usize = 110;

/// A client's cap on a tab, with its signature. Nothing in it is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// The tab.
    pub tab: TabId,
    /// Nano: the most that may be owed on it.
    pub cap: u64,
    /// Ed25519 by the lane's spend key.
    pub signature: [u8; 64],
}

impl TabId {
    /// What a client signs once for each connection, to show that it has the spend key itself: SHA-256(label("chrysalis/presence/v1") ‖
    /// receipt key ‖ purse ‖ lane ‖ branch ‖ exporter). A cap is no secret: the host has it, and everybody after a claim. `exporter` is
    /// RFC 9266's `tls-exporter`.
    pub fn presence(&self, receipt_key: &[u8; 32], exporter: &[u8; 32]) -> [u8; 32] {
        sha256(&[
            &label("chrysalis/presence/v1"),
            receipt_key,
            &self.to_bytes(),
            exporter,
        ])
    }
}

impl Credential {
    /// `purse ‖ lane ‖ branch ‖ cap ‖ signature`.
    pub fn encode(&self) -> [u8; CREDENTIAL_LENGTH] {
        let mut bytes = [0; CREDENTIAL_LENGTH];
        let parts = [
            &self.tab.to_bytes()[..],
            &self.cap.to_be_bytes(),
            &self.signature,
        ];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    /// Reads one.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        if bytes.len() != CREDENTIAL_LENGTH {
            return Err(Rejection::CredentialMalformed { found: bytes.len() });
        }
        let (purse, rest) = take(bytes);
        let (lane, rest) = take(rest);
        let (branch, rest) = take(rest);
        let (cap, rest) = take(rest);
        let (signature, _) = take(rest);
        Ok(Self {
            tab: TabId {
                purse,
                lane: u32::from_be_bytes(lane),
                branch: u16::from_be_bytes(branch),
            },
            cap: u64::from_be_bytes(cap),
            signature,
        })
    }

    /// The cap, as it is signed for the enclave with this receipt key.
    pub fn statement(&self, receipt_key: &[u8; 32]) -> Statement {
        Statement {
            tag: Tag::Cap,
            tab: self.tab,
            amount: self.cap,
            last: *receipt_key,
        }
    }

    /// Checks that whoever has the lane's spend key is at the other end of the connection with this exporter.
    pub fn verify_presence(
        &self,
        spend_key: &[u8; 32],
        receipt_key: &[u8; 32],
        exporter: &[u8; 32],
        signature: &[u8; 64],
    ) -> Result<(), Rejection> {
        let digest = self.tab.presence(receipt_key, exporter);
        verify_ed25519(spend_key, &digest, signature).map_err(|_| Rejection::Presence)
    }

    /// Checks that the lane's spend key signed it for this enclave.
    pub fn verify(&self, spend_key: &[u8; 32], receipt_key: &[u8; 32]) -> Result<(), Rejection> {
        if self
            .statement(receipt_key)
            .is_signed(spend_key, &self.signature)
        {
            Ok(())
        } else {
            Err(Rejection::CapSignature)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    #[test]
    fn a_cap_counts_for_one_enclave_and_one_amount() {
        let spend = Ed25519KeyPair::from_seed_unchecked(&[2; 32]).unwrap();
        let key: [u8; 32] = spend.public_key().as_ref().try_into().unwrap();
        let mut credential = Credential {
            tab: TabId {
                purse: [7; 32],
                lane: 8,
                branch: 9,
            },
            cap: 1000,
            signature: [0; 64],
        };
        let digest = credential.statement(&[3; 32]).digest();
        credential.signature = spend.sign(&digest).as_ref().try_into().unwrap();
        let bytes = credential.encode();
        assert_eq!(Credential::decode(&bytes), Ok(credential));
        assert_eq!(credential.verify(&key, &[3; 32]), Ok(()));
        assert_eq!(
            credential.verify(&key, &[4; 32]),
            Err(Rejection::CapSignature)
        );
        for at in 0..bytes.len() {
            let mut other = bytes;
            other[at] ^= 1;
            let other = Credential::decode(&other).unwrap();
            assert_eq!(
                other.verify(&key, &[3; 32]),
                Err(Rejection::CapSignature),
                "{at}"
            );
        }
        // Who has the cap alone is not who has the key.
        let presence = credential.tab.presence(&[3; 32], &[5; 32]);
        let signature = spend.sign(&presence).as_ref().try_into().unwrap();
        let check = |receipt_key, exporter, signature: &[u8; 64]| {
            credential.verify_presence(&key, &[receipt_key; 32], &[exporter; 32], signature)
        };
        assert_eq!(check(3, 5, &signature), Ok(()));
        for wrong in [
            check(4, 5, &signature),
            check(3, 6, &signature),
            check(3, 5, &credential.signature),
        ] {
            assert_eq!(wrong, Err(Rejection::Presence));
        }
        for length in [0, 109, 111] {
            let mut other = bytes.to_vec();
            other.resize(length, 0);
            let wrong = Rejection::CredentialMalformed { found: length };
            assert_eq!(Credential::decode(&other), Err(wrong));
        }
    }
}
