//! Many questions, one report: the tree whose root takes the session's place, and a client's path in it. docs/spec/batch.md.
//!
//! The tree has the shape of RFC 6962. Leaves, nodes and the root have labels of their own, so that none can pass for another,
//! and the root also covers how many leaves there are: one place in one tree has one path.

use serde_cbor::Value;

use super::binding::{SessionDigest, label};
use crate::{
    Rejection,
    encoding::{
        cbor,
        digest::{HASH_384, Hash384, sha384},
    },
};

/// The most questions that one report answers.
pub const MAX_LEAVES: u32 = 65_536;
/// The most bytes of an encoded path: 16 siblings, and little else.
pub const MAX_PATH: usize = 1024;

/// The way from a question's leaf to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    index: u32,
    count: u32,
    siblings: Vec<Hash384>,
}

/// Where the next sibling stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The sides of the siblings on the way up from this place. A row's last node that has no sibling moves up as it is.
fn sides(index: u32, count: u32) -> impl Iterator<Item = Side> {
    let (mut index, mut last) = (index, count.saturating_sub(1));
    std::iter::from_fn(move || {
        while last > 0 {
            let side = match index & 1 {
                1 => Some(Side::Left),
                _ => (index < last).then_some(Side::Right),
            };
            index >>= 1;
            last >>= 1;
            if side.is_some() {
                return side;
            }
        }
        None
    })
}

fn leaf(session: &SessionDigest) -> Hash384 {
    sha384(&[&label("chrysalis/leaf/v1"), session.as_bytes()])
}

fn node(left: &Hash384, right: &Hash384) -> Hash384 {
    sha384(&[&label("chrysalis/node/v1"), left, right])
}

fn root(count: u32, top: &Hash384) -> SessionDigest {
    let count = count.to_be_bytes();
    SessionDigest::of_root(sha384(&[&label("chrysalis/batch/v1"), &count, top]))
}

impl Path {
    /// The leaf's place, from 0.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// How many questions the report answers: 2 to [`MAX_LEAVES`].
    pub fn count(&self) -> u32 {
        self.count
    }

    /// What takes the place of `session` in the anchor, if its leaf is where this path says.
    pub fn root(&self, session: &SessionDigest) -> SessionDigest {
        let way = sides(self.index, self.count).zip(&self.siblings);
        let top = way.fold(leaf(session), |hash, (side, sibling)| match side {
            Side::Left => node(sibling, &hash),
            Side::Right => node(&hash, sibling),
        });
        root(self.count, &top)
    }

    /// Deterministic CBOR: `[index, count, siblings]`.
    pub fn encode(&self) -> Vec<u8> {
        let siblings = self.siblings.iter().map(|it| Value::Bytes(it.to_vec()));
        cbor::encode(&Value::Array(vec![
            Value::Integer(self.index.into()),
            Value::Integer(self.count.into()),
            Value::Array(siblings.collect()),
        ]))
    }

    /// Decodes the one deterministic encoding of a path that some place in some tree has.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        if bytes.len() > MAX_PATH {
            return Err(malformed("it is longer than any path"));
        }
        let parts = cbor::decode(bytes).and_then(cbor::array);
        let parts = parts.and_then(|parts| <[Value; 3]>::try_from(parts).ok());
        let Some(
            [
                Value::Integer(index),
                Value::Integer(count),
                Value::Array(siblings),
            ],
        ) = parts
        else {
            return Err(malformed("it is not [index, count, siblings]"));
        };
        let count = u64::try_from(count).map_err(|_| malformed("its count is below zero"))?;
        if count > u64::from(MAX_LEAVES) {
            return Err(Rejection::BatchTooLarge { found: count });
        }
        let count = u32::try_from(count)
            .ok()
            .filter(|count| *count >= 2)
            .ok_or(malformed("its count is below two"))?;
        let index = u32::try_from(index)
            .ok()
            .filter(|index| *index < count)
            .ok_or(malformed("its index is not below its count"))?;
        let siblings: Vec<Hash384> = siblings
            .into_iter()
            .map(|sibling| cbor::bytes(sibling)?.try_into().ok())
            .collect::<Option<_>>()
            .ok_or(malformed("a sibling is not 48 bytes"))?;
        if siblings.len() != sides(index, count).count() {
            return Err(malformed(
                "it has more or fewer siblings than its place in the tree",
            ));
        }
        Ok(Self {
            index,
            count,
            siblings,
        })
    }
}

fn malformed(what: &'static str) -> Rejection {
    Rejection::PathMalformed { what }
}

/// The tree over the questions that one report answers: at least two. One alone needs none.
#[derive(Debug, Clone)]
pub struct Tree {
    count: u32,
    /// From the leaves up to the one node at the top.
    rows: Vec<Vec<Hash384>>,
}

impl Tree {
    /// The tree with these leaves, in this order. `None` for fewer than two, or more than [`MAX_LEAVES`].
    pub fn new(sessions: &[SessionDigest]) -> Option<Self> {
        let count = u32::try_from(sessions.len()).ok()?;
        if !(2..=MAX_LEAVES).contains(&count) {
            return None;
        }
        let mut row: Vec<_> = sessions.iter().map(leaf).collect();
        let mut rows = Vec::new();
        while row.len() > 1 {
            let above = row.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                // The last one of a row without a sibling.
                alone => alone.first().copied().unwrap_or([0; HASH_384]),
            });
            let above = above.collect();
            rows.push(std::mem::replace(&mut row, above));
        }
        rows.push(row);
        Some(Self { count, rows })
    }

    /// What takes the session's place in the anchor.
    pub fn root(&self) -> SessionDigest {
        let top = self.rows.last().and_then(|row| row.first());
        root(self.count, top.unwrap_or(&[0; HASH_384]))
    }

    /// The path of the leaf at this place, from 0. `None` beyond the last.
    pub fn path(&self, index: u32) -> Option<Path> {
        if index >= self.count {
            return None;
        }
        let mut place = usize::try_from(index).ok()?;
        let mut siblings = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            siblings.extend(row.get(place ^ 1).filter(|_| row.len() > 1));
            place >>= 1;
        }
        Some(Path {
            index,
            count: self.count,
            siblings,
        })
    }
}

#[cfg(test)]
mod tests;
