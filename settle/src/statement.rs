//! What is signed: 83 bytes, one shape for both sides. A wallet's contract reads the same bytes as a cell of 664 bits.

use chrysalis_attestation::{encoding::digest::sha256, evidence::binding::label, verify_ed25519};

use crate::Rejection;

/// Bytes of a statement.
pub const STATEMENT_LENGTH: usize = 83;
/// The descriptors of a cell with 664 bits and no references: what the contract's hash begins with.
const CELL: [u8; 2] = [0x00, 0xA6];

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// The client: at most this much may be owed.
    Cap,
    /// The enclave: this much is owed.
    Receipt,
}

impl Tag {
    const fn bytes(self) -> [u8; 4] {
        match self {
            Self::Cap => *b"CAP1",
            Self::Receipt => *b"RCP1",
        }
    }
}

/// A tab, but for the receipt key: where money would come from, and which client process asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TabId {
    /// The purse's account in workchain 0; for a tab without payment, [`Self::unpaid`].
    pub purse: [u8; 32],
    /// Money locked for one operator. 0: no contract has this lane.
    pub lane: u32,
    /// One client process.
    pub branch: u16,
}

impl TabId {
    /// The tab of a connection that nobody pays for: `purse = SHA-256(label("chrysalis/unpaid/v1") ‖ tls_exporter)`, lane 0, branch 0.
    /// `exporter` is RFC 9266's `tls-exporter`.
    pub fn unpaid(exporter: &[u8; 32]) -> Self {
        Self {
            purse: sha256(&[&label("chrysalis/unpaid/v1"), exporter]),
            lane: 0,
            branch: 0,
        }
    }

    /// `purse ‖ lane ‖ branch`, as in statements and heads.
    pub fn to_bytes(&self) -> [u8; 38] {
        let mut bytes = [0; 38];
        let parts = [
            &self.purse[..],
            &self.lane.to_be_bytes(),
            &self.branch.to_be_bytes(),
        ];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }
}

/// A cap or a receipt, without its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// Who says it.
    pub tag: Tag,
    /// About which tab.
    pub tab: TabId,
    /// Nano: the most that may be owed, or what is owed.
    pub amount: u64,
    /// Of a cap, the enclave's receipt key; of a receipt, the head of the tab's chain of jobs.
    pub last: [u8; 32],
}

impl Statement {
    /// `tag ‖ 0x00 ‖ purse ‖ lane ‖ branch ‖ amount ‖ last`; numbers are big-endian.
    pub fn encode(&self) -> [u8; STATEMENT_LENGTH] {
        let mut bytes = [0; STATEMENT_LENGTH];
        let parts = [
            &self.tag.bytes()[..],
            &[0],
            &self.tab.to_bytes(),
            &self.amount.to_be_bytes(),
            &self.last,
        ];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    /// Reads one.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        let wrong = |what| Rejection::StatementMalformed { what };
        let bytes: &[u8; STATEMENT_LENGTH] =
            bytes.try_into().map_err(|_| wrong("another length"))?;
        let (tag, rest) = take::<4>(bytes);
        let tag = match &tag {
            b"CAP1" => Tag::Cap,
            b"RCP1" => Tag::Receipt,
            _ => return Err(wrong("an unknown tag")),
        };
        let (zero, rest) = take::<1>(rest);
        if zero != [0] {
            return Err(wrong("the byte after the tag is not zero"));
        }
        let (purse, rest) = take(rest);
        let (lane, rest) = take(rest);
        let (branch, rest) = take(rest);
        let (amount, rest) = take(rest);
        let (last, _) = take(rest);
        Ok(Self {
            tag,
            tab: TabId {
                purse,
                lane: u32::from_be_bytes(lane),
                branch: u16::from_be_bytes(branch),
            },
            amount: u64::from_be_bytes(amount),
            last,
        })
    }

    /// What is signed: `SHA-256(0x00 ‖ 0xA6 ‖ statement)`, the hash of the contract's cell.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[&CELL, &self.encode()])
    }

    /// Whether `key` signed this.
    pub fn is_signed(&self, key: &[u8; 32], signature: &[u8; 64]) -> bool {
        verify_ed25519(key, &self.digest(), signature).is_ok()
    }
}

/// The first bytes, and the rest; zeros where there are too few, which the lengths here rule out.
pub(crate) fn take<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    bytes
        .split_first_chunk()
        .map_or(([0; N], &[]), |(first, rest)| (*first, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    /// What the contract, `@ton/core` and this code agree on.
    const CAP: &str = "4341503100f00f53582b416a41cb8c64444819ce41caa49ac91c47f8bc4297fc6816cbbc416b0eb6c000000000000011e1a300ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1";

    fn tab() -> TabId {
        let purse = "f00f53582b416a41cb8c64444819ce41caa49ac91c47f8bc4297fc6816cbbc41";
        TabId {
            purse: hex::decode(purse).unwrap().try_into().unwrap(),
            lane: 0x6b0e_b6c0,
            branch: 0,
        }
    }

    #[test]
    fn the_two_vectors_of_the_contract() {
        let [spend, enclave] =
            [2, 3].map(|seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap());
        let cap = Statement {
            tag: Tag::Cap,
            tab: tab(),
            amount: 300_000_000,
            last: enclave.public_key().as_ref().try_into().unwrap(),
        };
        assert_eq!(hex::encode(cap.encode()), CAP);
        assert_eq!(
            hex::encode(cap.digest()),
            "f7b71ceb62f786f4dc7ffa90270ba8a8a24c88ef4fe549384c2a2c5b637cfdbe"
        );
        let signature = hex::encode(spend.sign(&cap.digest()));
        assert!(signature.starts_with("f9e7253ba964d2a6"), "{signature}");
        assert!(signature.ends_with("98df6903"), "{signature}");

        let receipt = Statement {
            tag: Tag::Receipt,
            tab: tab(),
            amount: 100_000_000,
            last: [9; 32],
        };
        assert_eq!(
            hex::encode(receipt.digest()),
            "71ac1e2821bacfe190bc5ce41626536a3ef75a5f2414dcd04e12f47209c05e25"
        );
        let signature = hex::encode(enclave.sign(&receipt.digest()));
        assert!(signature.starts_with("d41c7e175c811d94"), "{signature}");
        assert!(signature.ends_with("cbd090d902"), "{signature}");
    }

    #[test]
    fn survives_the_trip_and_no_other_length() {
        let bytes = hex::decode(CAP).unwrap();
        assert_eq!(Statement::decode(&bytes).unwrap().encode(), bytes[..]);
        for length in (0..bytes.len()).chain([84]) {
            let mut cut = bytes.clone();
            cut.resize(length, 0);
            let wrong = Rejection::StatementMalformed {
                what: "another length",
            };
            assert_eq!(Statement::decode(&cut), Err(wrong));
        }
    }

    #[test]
    fn an_unknown_tag_and_a_byte_after_it_are_refused() {
        let bytes = hex::decode(CAP).unwrap();
        for (at, what) in [
            (0, "an unknown tag"),
            (4, "the byte after the tag is not zero"),
        ] {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_eq!(
                Statement::decode(&other),
                Err(Rejection::StatementMalformed { what })
            );
        }
    }
}
