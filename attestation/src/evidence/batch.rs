//! What one report answers many questions with: encoded once, and then only the path differs.

use serde_cbor::Value;

use super::{
    Evidence, bundle,
    collection::{ALONE, SHARED, SHORT, collection, entry},
    items::{Contents, PATH, of_path},
    path::{MAX_PATH, Tree},
    short::{self, Rest},
};
use crate::encoding::cbor;

/// The answers to the questions that one report is about.
#[derive(Debug)]
pub struct Batch {
    tree: Option<Tree>,
    whole: Pieces,
    short: Pieces,
    rest: [u8; 32],
}

impl Batch {
    /// The answers to the questions of this tree, or to the only one. Whatever path the evidence has is of no interest.
    pub fn new(evidence: &Evidence, tree: Option<Tree>) -> Self {
        let rest = *Rest::of(evidence).digest();
        let kind = tree.as_ref().map_or(ALONE, |_| SHARED);
        let shared = tree.is_some();
        Self {
            whole: Pieces::new(kind, bundle::contents(evidence), shared),
            short: Pieces::new(SHORT, short::contents(evidence, &rest), shared),
            tree,
            rest,
        }
    }

    /// The answers to the same questions, with other endorsements.
    #[must_use]
    pub fn again(self, evidence: &Evidence) -> Self {
        Self::new(evidence, self.tree)
    }

    /// The bundle for the question at this place, from 0: a short one for a client that has the rest by its digest. `None` if there
    /// was no such question.
    pub fn bundle(&self, index: u32, have: &[[u8; 32]]) -> Option<Vec<u8>> {
        let path = match &self.tree {
            None if index > 0 => return None,
            None => Vec::new(),
            Some(tree) => encoded(entry(of_path(Some(&tree.path(index)?)))),
        };
        let pieces = if have.contains(&self.rest) {
            &self.short
        } else {
            &self.whole
        };
        Some([&pieces.before[..], &path, &pieces.after].concat())
    }

    /// The most bytes of a whole bundle, if `path` is as long as any.
    pub fn longest(&self) -> usize {
        let Pieces { before, after } = &self.whole;
        let path = if self.tree.is_some() { MAX_ENTRY } else { 0 };
        before
            .len()
            .saturating_add(after.len())
            .saturating_add(path)
    }
}

/// The most bytes of a path with its name and its media type.
const MAX_ENTRY: usize = MAX_PATH + 64;

/// What comes before the path, and what comes after it.
#[derive(Debug)]
struct Pieces {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Pieces {
    /// The encoding of a collection. `shared`: there will be a path.
    fn new(kind: &str, contents: Contents, shared: bool) -> Self {
        let map = collection(kind, contents);
        let count = map.len().saturating_add(usize::from(shared));
        // The head of a map with fewer than 24 entries is one byte, and no collection has as many.
        let head = u8::try_from(count).unwrap_or(u8::MAX).saturating_add(0xA0);
        let path = Value::Text(PATH.0.to_owned());
        let (before, after): (Vec<_>, Vec<_>) = map.into_iter().partition(|(key, _)| *key < path);
        let all = |entries: Vec<_>| entries.into_iter().flat_map(encoded).collect::<Vec<u8>>();
        Self {
            before: [vec![head], all(before)].concat(),
            after: all(after),
        }
    }
}

fn encoded((key, value): (Value, Value)) -> Vec<u8> {
    [cbor::encode(&key), cbor::encode(&value)].concat()
}
