//! The two proofs as text: a first line, hashes in base64, an empty line, and the checkpoint that they lead to.

use std::fmt::Write;

use data_encoding::BASE64;

use super::{
    checkpoint::{MAX_TEXT, hash, number},
    merkle::Hash,
};
use crate::Rejection;

/// The first line of a C2SP tlog-proof.
const VERSION: &str = "c2sp.org/tlog-proof@v1";
/// A path has at most one hash for each bit of a size, plus one.
const MAX_PATH: usize = 64 + 1;

/// Proof that an entry is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The entry's index, from 0.
    pub index: u64,
    /// The siblings on the way up to the root.
    pub path: Vec<Hash>,
    /// The signed note.
    pub checkpoint: String,
}

/// Proof that a log begins with its earlier entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// Its earlier size.
    pub old: u64,
    /// RFC 6962 §2.1.2.
    pub path: Vec<Hash>,
    /// The signed note of the larger tree.
    pub checkpoint: String,
}

impl Inclusion {
    /// Reads a proof. `extra` data are refused: their meaning is unknown here.
    pub fn parse(text: &[u8]) -> Result<Self, Rejection> {
        let text = utf8(text)?;
        let rest = text
            .strip_prefix(VERSION)
            .and_then(|rest| rest.strip_prefix('\n'))
            .ok_or(malformed("its first line"))?;
        let (index, path, checkpoint) = parts(rest, "index ")?;
        Ok(Self {
            index,
            path,
            checkpoint,
        })
    }

    /// Its text.
    pub fn to_text(&self) -> String {
        let Self {
            index,
            path,
            checkpoint,
        } = self;
        format!("{VERSION}\nindex {index}\n{}\n{checkpoint}", lines(path))
    }
}

impl Growth {
    /// Reads a proof.
    pub fn parse(text: &[u8]) -> Result<Self, Rejection> {
        let (old, path, checkpoint) = parts(utf8(text)?, "old ")?;
        Ok(Self {
            old,
            path,
            checkpoint,
        })
    }

    /// Its text.
    pub fn to_text(&self) -> String {
        let Self {
            old,
            path,
            checkpoint,
        } = self;
        format!("old {old}\n{}\n{checkpoint}", lines(path))
    }
}

fn malformed(what: &'static str) -> Rejection {
    Rejection::LogProofMalformed { what }
}

fn utf8(text: &[u8]) -> Result<&str, Rejection> {
    if text.len() > MAX_TEXT {
        return Err(malformed("it is too long"));
    }
    std::str::from_utf8(text).map_err(|_| malformed("it is not UTF-8"))
}

fn parts(text: &str, label: &str) -> Result<(u64, Vec<Hash>, String), Rejection> {
    let (head, checkpoint) = text
        .split_once("\n\n")
        .ok_or(malformed("no empty line before the checkpoint"))?;
    let mut lines = head.split('\n');
    let place = lines
        .next()
        .and_then(|line| line.strip_prefix(label))
        .and_then(number)
        .ok_or(malformed("its number"))?;
    let path: Vec<Hash> = lines
        .map(hash)
        .collect::<Option<_>>()
        .ok_or(malformed("a hash"))?;
    if path.len() > MAX_PATH {
        return Err(malformed("more hashes than any tree has"));
    }
    Ok((place, path, checkpoint.to_owned()))
}

fn lines(path: &[Hash]) -> String {
    path.iter().fold(String::new(), |mut text, hash| {
        writeln!(text, "{}", BASE64.encode(hash)).expect("a string takes any text");
        text
    })
}
