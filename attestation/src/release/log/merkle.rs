//! Checks the hash tree of RFC 6962: whether a path leads from a leaf, or from a smaller tree, to a root (RFC 9162 §2.1.3.2, §2.1.4.2).

use crate::encoding::digest::sha256;

/// A hash, 32 bytes.
pub const HASH: usize = 32;
/// A node of the tree.
pub type Hash = [u8; HASH];

/// A leaf: its hash can never be a node's, so that no path can pass one off as the other.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// Walks up from a node: `index` is its position in its row, `last` that of the row's last node.
struct Climb {
    index: u64,
    last: u64,
}

impl Climb {
    /// Whether the next hash of the path is to the left.
    fn sibling_is_left(&self) -> bool {
        self.index & 1 == 1 || self.index == self.last
    }

    /// Moves up one row, or, where the row's last node has no sibling, up to a row where it has one.
    fn up(&mut self, from_the_right: bool) {
        if from_the_right {
            while self.index & 1 == 0 && self.index != 0 {
                self.shift();
            }
        }
        self.shift();
    }

    fn shift(&mut self) {
        self.index >>= 1;
        self.last >>= 1;
    }
}

/// Whether the path leads from the leaf, at this index in a tree of this size, to the root.
pub(super) fn is_included(
    leaf: &Hash,
    (index, size): (u64, u64),
    path: &[Hash],
    root: &Hash,
) -> bool {
    if index >= size {
        return false;
    }
    let mut climb = Climb {
        index,
        last: size - 1,
    };
    let mut hash = *leaf;
    for sibling in path {
        if climb.last == 0 {
            return false;
        }
        let left = climb.sibling_is_left();
        hash = if left {
            node(sibling, &hash)
        } else {
            node(&hash, sibling)
        };
        climb.up(left);
    }
    climb.last == 0 && hash == *root
}

/// Whether the second tree begins with the first, each given by its size and root, by this path.
pub(super) fn is_consistent(
    (first, first_root): (u64, &Hash),
    (second, second_root): (u64, &Hash),
    path: &[Hash],
) -> bool {
    if first == 0 {
        // Every tree begins with the empty one.
        return path.is_empty() && *first_root == sha256(&[]);
    }
    if first == second {
        return path.is_empty() && first_root == second_root;
    }
    if first > second {
        return false;
    }
    let mut climb = Climb {
        index: first - 1,
        last: second - 1,
    };
    while climb.index & 1 == 1 {
        climb.shift();
    }
    // A complete subtree is its own starting point, and is left out of the path.
    let (start, path) = if first.is_power_of_two() {
        (first_root, path)
    } else {
        match path.split_first() {
            Some(split) => split,
            None => return false,
        }
    };
    let (mut old, mut new) = (*start, *start);
    for sibling in path {
        if climb.last == 0 {
            return false;
        }
        let left = climb.sibling_is_left();
        if left {
            old = node(sibling, &old);
            new = node(sibling, &new);
        } else {
            new = node(&new, sibling);
        }
        climb.up(left);
    }
    climb.last == 0 && old == *first_root && new == *second_root
}
