use super::*;
use crate::evidence::binding::Session;

const SPKI: &[u8] = b"spki";

fn session(number: u32) -> SessionDigest {
    let mut nonce = [0; 32];
    nonce[..4].copy_from_slice(&number.to_be_bytes());
    let exporter = [2; 32];
    Session::Asked { nonce, exporter }.digest(SPKI)
}

fn tree(count: u32) -> Tree {
    Tree::new(&(0..count).map(session).collect::<Vec<_>>()).expect("a tree")
}

/// RFC 6962 §2.1, as it is written there: the largest power of two below n splits the list.
fn by_the_book(leaves: &[Hash384]) -> Hash384 {
    match leaves {
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len().next_power_of_two() / 2);
            node(&by_the_book(left), &by_the_book(right))
        }
    }
}

#[test]
fn the_shape_is_that_of_rfc_6962_and_every_path_leads_to_the_root() {
    for count in 2..=40 {
        let tree = tree(count);
        let leaves: Vec<_> = (0..count).map(|it| leaf(&session(it))).collect();
        assert_eq!(tree.root(), root(count, &by_the_book(&leaves)), "{count}");
        for index in 0..count {
            let path = tree.path(index).expect("a path");
            assert_eq!(
                path.root(&session(index)),
                tree.root(),
                "{index} of {count}"
            );
            assert_eq!(Path::decode(&path.encode()), Ok(path));
        }
        assert_eq!(tree.path(count), None);
    }
}

#[test]
fn a_tree_has_two_to_65536_leaves() {
    for count in [0, 1, MAX_LEAVES + 1] {
        let sessions = vec![session(0); usize::try_from(count).expect("a size")];
        assert!(Tree::new(&sessions).is_none(), "{count}");
    }
    let largest = tree(MAX_LEAVES);
    let path = largest.path(MAX_LEAVES - 1).expect("a path");
    assert_eq!(path.root(&session(MAX_LEAVES - 1)), largest.root());
    let length = path.encode().len();
    assert!(length <= MAX_PATH, "{length}");
}

/// Any change of the formulas changes these bytes; docs/spec/batch.md states the same vector.
#[test]
fn the_formulas_are_those_of_the_specification() {
    let asked = |nonce| Session::Asked {
        nonce: [nonce; 32],
        exporter: [2; 32],
    };
    let sessions = [1, 3, 4].map(|nonce| asked(nonce).digest(SPKI));
    let tree = Tree::new(&sessions).expect("a tree");
    let path = tree.path(2).expect("a path");
    let vector = [
        hex::encode(leaf(&sessions[0])),
        hex::encode(tree.root().as_bytes()),
        hex::encode(path.encode()),
    ];
    assert_eq!(vector, VECTOR);
}

const VECTOR: [&str; 3] = [
    "c8bb14ae956567d0a5065e60b696c20e145778293ddbba2fe313d041bd90b77b8b49bbce7bd293a7d96a2b532ccdce11",
    "417be33ec04999bdd9262507175f24c3eaff87557a4fe31616719ef11b01bca0f196fb75c54637885ffbc2b6f48ac633",
    "8302038158308ca63ca2a90939c9a26730d13dc122cf96447a0f06f069b53745d197f0a38436114316b55327901982129d8d6030640d",
];

/// A path's parts, one of them changed.
fn altered(path: &Path, change: impl FnOnce(&mut [Value; 3])) -> Result<Path, Rejection> {
    let Some(Value::Array(parts)) = cbor::decode(&path.encode()) else {
        panic!("an array")
    };
    let mut parts = <[Value; 3]>::try_from(parts).expect("three");
    change(&mut parts);
    Path::decode(&cbor::encode(&Value::Array(parts.into())))
}

#[test]
fn no_other_place_and_no_other_count_leads_to_the_root() {
    for count in [2, 3, 5, 6, 7, 8, 13] {
        let tree = tree(count);
        for index in 0..count {
            let path = tree.path(index).expect("a path");
            for (wrong_index, wrong_count) in (0..16).flat_map(|i| (0..16).map(move |c| (i, c))) {
                if (wrong_index, wrong_count) == (index, count) {
                    continue;
                }
                let lie = altered(&path, |parts| {
                    parts[0] = Value::Integer(wrong_index.into());
                    parts[1] = Value::Integer(wrong_count.into());
                });
                if let Ok(lie) = lie {
                    assert_ne!(lie.root(&session(index)), tree.root());
                }
            }
            // Another's path.
            let others = (0..count).filter(|it| *it != index);
            for other in others.filter_map(|it| tree.path(it)) {
                assert_ne!(other.root(&session(index)), tree.root());
            }
        }
    }
}

/// Of three leaves, the third has the path that the second of two would have: only the count tells them apart.
#[test]
fn the_root_covers_the_count() {
    let path = tree(3).path(2).expect("a path");
    let lie = altered(&path, |parts| {
        parts[0] = Value::Integer(1);
        parts[1] = Value::Integer(2);
    });
    let lie = lie.expect("some tree has this path");
    assert_ne!(lie.root(&session(2)), tree(3).root());
}

#[test]
fn an_inner_node_is_no_leaf() {
    let tree = tree(4);
    let inner = SessionDigest::of_root(tree.rows[1][0]);
    // The path of a tree whose two leaves are the inner nodes of the honest one.
    let lie = Path {
        index: 0,
        count: 2,
        siblings: vec![tree.rows[1][1]],
    };
    assert_ne!(lie.root(&inner), tree.root());
    assert_ne!(node(&leaf(&inner), &tree.rows[1][1]), tree.rows[2][0]);
}

#[test]
fn refuses_what_no_place_in_any_tree_has() {
    let path = tree(5).path(1).expect("a path");
    let number =
        |place: usize, number: i128| altered(&path, |parts| parts[place] = Value::Integer(number));
    let siblings = |change: fn(&mut Vec<Value>)| {
        altered(&path, |parts| {
            let Value::Array(siblings) = &mut parts[2] else {
                panic!("an array")
            };
            change(siblings);
        })
    };
    let few = "it has more or fewer siblings than its place in the tree";
    let refused = |what| Err(Rejection::PathMalformed { what });
    assert_eq!(number(1, -1), refused("its count is below zero"));
    assert_eq!(number(1, 0), refused("its count is below two"));
    assert_eq!(number(1, 1), refused("its count is below two"));
    assert_eq!(number(0, 5), refused("its index is not below its count"));
    assert_eq!(number(0, -1), refused("its index is not below its count"));
    // The last of five has one sibling, not three.
    assert_eq!(number(0, 4), refused(few));
    assert_eq!(siblings(Vec::clear), refused(few));
    assert_eq!(siblings(|it| drop(it.pop())), refused(few));
    assert_eq!(siblings(|it| it.push(it[0].clone())), refused(few));
    let short = |it: &mut Vec<Value>| it[0] = Value::Bytes(vec![0; 47]);
    assert_eq!(siblings(short), refused("a sibling is not 48 bytes"));
    for found in [65_537, u64::MAX] {
        let refused = Err(Rejection::BatchTooLarge { found });
        assert_eq!(number(1, found.into()), refused);
    }
    for other in [&[][..], &[0xA0], &[0x80], &[0x83, 0, 2, 0x40]] {
        let what = "it is not [index, count, siblings]";
        assert_eq!(Path::decode(other), refused(what));
    }
    let what = "it is longer than any path";
    assert_eq!(Path::decode(&vec![0; MAX_PATH + 1]), refused(what));
}
