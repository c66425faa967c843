//! The head of a log: a signed note (C2SP signed-note) of three lines, origin, size and root (C2SP tlog-checkpoint).

use data_encoding::BASE64;

use super::{
    super::key::PublicKey,
    merkle::{HASH, Hash},
};
use crate::{
    Rejection,
    encoding::{
        base64,
        digest::{Hex, sha256},
    },
};

/// The maximum size of any of the three, in bytes. A proof in a tree of 2^64 entries has 3 KB.
pub const MAX_TEXT: usize = 64 * 1024;

/// The newest head of a log that a client has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Which log.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The root over them.
    pub root: Hex<HASH>,
}

/// The start of a signature line: an em dash and a space.
const SIGNATURE: &str = "\u{2014} ";
/// The signature type of Ed25519 in a note's key.
const ED25519: u8 = 1;
/// The maximum number of signatures of a note: the log's own, and those of witnesses.
const MAX_SIGNATURES: usize = 64;

/// A head, signed by its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: its name, under which it also signs.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root over them.
    pub root: Hex<HASH>,
}

impl Checkpoint {
    /// Step log-1: reads a checkpoint that the log signed with `key`.
    pub fn verify(note: &[u8], key: &PublicKey) -> Result<Self, Rejection> {
        let malformed = |what| Rejection::CheckpointMalformed { what };
        if note.len() > MAX_TEXT {
            return Err(malformed("it is too long"));
        }
        let note = std::str::from_utf8(note).map_err(|_| malformed("it is not UTF-8"))?;
        if note.contains(|c: char| c.is_ascii_control() && c != '\n') {
            return Err(malformed("it has control characters"));
        }
        let (text, signatures) = note
            .rsplit_once("\n\n")
            .ok_or(malformed("no empty line before the signatures"))?;
        let checkpoint = Self::parse(text)?;
        let signed = format!("{text}\n");
        let unsigned = Rejection::CheckpointUnsigned { wanted: key.id() };
        let hint = key.ed25519().map(|key| key_hash(&checkpoint.origin, key));
        let Some(hint) = hint else {
            return Err(unsigned);
        };
        let mut verdict = Err(unsigned);
        let signatures = signatures
            .strip_suffix('\n')
            .ok_or(malformed("its last line has no end"))?;
        for (count, line) in signatures.split('\n').enumerate() {
            let (name, blob) = signature(line)
                .filter(|_| count < MAX_SIGNATURES)
                .ok_or(malformed("a signature line"))?;
            // Other lines belong to other keys, such as witnesses'.
            if let Some(signature) = blob.strip_prefix(&hint)
                && name == checkpoint.origin
                && verdict.is_err()
            {
                verdict = if key.signed(signed.as_bytes(), signature) {
                    Ok(())
                } else {
                    Err(Rejection::CheckpointSignature { key: key.id() })
                };
            }
        }
        verdict.map(|()| checkpoint)
    }

    /// The three lines, without the last newline. Extension lines are refused: their meaning is unknown here.
    fn parse(text: &str) -> Result<Self, Rejection> {
        let malformed = |what| Rejection::CheckpointMalformed { what };
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed("not three lines: origin, size and root"));
        };
        if !is_origin(origin) {
            return Err(malformed("its origin"));
        }
        Ok(Self {
            origin: origin.to_owned(),
            size: number(size).ok_or(malformed("its size"))?,
            root: Hex(hash(root).ok_or(malformed("its root"))?),
        })
    }

    /// What the log signs.
    pub fn to_be_signed(&self) -> String {
        let Self { origin, size, root } = self;
        format!("{origin}\n{size}\n{}\n", BASE64.encode(&root.0))
    }

    /// The note, with the log's signature. `None` for a key that cannot sign notes, or an origin that a note cannot have.
    pub fn note(&self, key: &PublicKey, signature: &[u8]) -> Option<String> {
        let key = key.ed25519().filter(|_| is_origin(&self.origin))?;
        let blob = [&key_hash(&self.origin, key)[..], signature].concat();
        let (text, origin) = (self.to_be_signed(), &self.origin);
        Some(format!(
            "{text}\n{SIGNATURE}{origin} {}\n",
            BASE64.encode(&blob)
        ))
    }

    /// What a client remembers about it.
    pub fn head(&self) -> Head {
        Head {
            origin: self.origin.clone(),
            size: self.size,
            root: self.root,
        }
    }
}

/// Four bytes by which a note's reader finds a key's line.
fn key_hash(name: &str, key: &[u8; 32]) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256(&[name.as_bytes(), b"\n", &[ED25519], key]);
    [a, b, c, d]
}

/// Whether a key in a note may have this name.
fn is_origin(name: &str) -> bool {
    (1..=256).contains(&name.len()) && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

/// Who signed, and the bytes after it.
fn signature(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, blob) = line.strip_prefix(SIGNATURE)?.split_once(' ')?;
    let blob = base64::decode(blob)?;
    (is_origin(name) && blob.len() > 4).then_some((name, blob))
}

/// A number without leading zeros or signs.
pub(super) fn number(text: &str) -> Option<u64> {
    let canonical = text == "0" || text.starts_with(|c: char| ('1'..='9').contains(&c));
    text.parse().ok().filter(|_| canonical)
}

/// A hash in base64.
pub(super) fn hash(text: &str) -> Option<Hash> {
    base64::decode(text)?.try_into().ok()
}
