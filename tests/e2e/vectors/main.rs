//! The vectors in tests/vectors: that they are what the simulated vendors sign, and that the verifier finds what each expects.
//!
//! `UPDATE_VECTORS=1 cargo test -p chrysalis-tests --test vectors` makes them anew. tests/vectors/README.md is the contract.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

mod library;
mod make;
mod run;
mod vector;
mod wishes;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex},
    thread,
};

use chrysalis_attestation::Rejection;
use serde_json::Value;

use crate::{run::Run, vector::Tree};

/// Beside the vectors, and none.
const OTHERS: [&str; 6] = [
    "README.md",
    ".gitattributes",
    "real",
    "real.lock",
    // Judged by chrysalis-settle's own tests, and by Node.
    "settle",
    // By chrysalis-network's, and by Node.
    "network",
];
/// Codes that no vector provokes, each with its reason.
const WITHOUT: &[(&str, &str)] = &[];
/// In the environment: asks only those whose names begin so, such as `snp/`: a quicker answer.
const CHOSEN: &str = "CHRYSALIS_VECTORS";
/// The most bytes of the whole tree.
const MOST: usize = 4 * 1024 * 1024;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Every file of the tree as it is.
fn read() -> Tree {
    fn walk(folder: &Path, below: &str, tree: &mut Tree) {
        let entries = fs::read_dir(folder).into_iter().flatten();
        for entry in entries {
            let entry = entry.unwrap();
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            if OTHERS.contains(&name.as_str()) {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), tree);
            } else {
                tree.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut tree = Tree::new();
    walk(&folder(), "", &mut tree);
    tree
}

/// Writes what is new, and removes what no longer is.
fn write(old: &Tree, new: &Tree) {
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        fs::remove_file(folder().join(name)).unwrap();
    }
    for (name, bytes) in new
        .iter()
        .filter(|(name, bytes)| old.get(*name) != Some(bytes))
    {
        let path = folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Each vector's name, with what is asked and expected.
fn vectors(tree: &Tree) -> Vec<(String, Value, Value)> {
    let json = |name: &str, file: &str| {
        let bytes = tree.get(&format!("{name}/{file}.json"));
        serde_json::from_slice(bytes.unwrap_or_else(|| panic!("{name} has no {file}.json")))
            .unwrap()
    };
    let names = tree
        .keys()
        .filter_map(|path| path.strip_suffix("/request.json"));
    names
        .map(|name| {
            (
                name.to_owned(),
                json(name, "request"),
                json(name, "expected"),
            )
        })
        .collect()
}

/// Whether all of `wanted` is in `found`.
fn includes(found: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(fields) => fields
            .iter()
            .all(|(key, value)| includes(&found[key], value)),
        Value::Array(items) => {
            let same_length = found.as_array().map(Vec::len) == Some(items.len());
            let mut pairs = items.iter().enumerate();
            same_length && pairs.all(|(place, item)| includes(&found[place], item))
        }
        _ => found == wanted,
    }
}

/// The tree in the repository, once it was made anew where that is wanted.
static TREE: LazyLock<Tree> = LazyLock::new(|| {
    if env::var_os("UPDATE_VECTORS").is_some() {
        write(&read(), &make::all());
    }
    read()
});

#[test]
fn the_vectors_are_what_the_simulated_vendors_sign() {
    let (old, new) = (&*TREE, make::all());
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let stale: Vec<_> = names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .collect();
    assert!(
        stale.is_empty(),
        "UPDATE_VECTORS=1 cargo test -p chrysalis-tests --test vectors: {stale:?}"
    );
    let size: usize = old.values().map(Vec::len).sum();
    assert!(size <= MOST, "the vectors have {size} bytes");
}

/// What is wrong with each vector, asked of two at a time.
fn faults(
    vectors: &[(String, Value, Value)],
    fault: impl Fn(&str, &Value, &Value) -> Option<String> + Sync,
) -> Vec<String> {
    let (left, found) = (Mutex::new(vectors.iter()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let next = left.lock().unwrap().next();
            let Some((name, request, expected)) = next else {
                break;
            };
            if let Some(fault) = fault(name, request, expected) {
                found.lock().unwrap().push(format!("{name}: {fault}"));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    found.into_inner().unwrap()
}

/// How the library is asked, where the command line has no words for it.
fn by_library(name: &str) -> Option<library::Ask> {
    let asked = library::ASKED.iter().find(|(asked, _)| *asked == name);
    asked.map(|(_, ask)| *ask)
}

#[test]
fn every_vector_is_found_as_it_expects() {
    let tree = &*TREE;
    let mut vectors = vectors(tree);
    let chosen = env::var(CHOSEN).unwrap_or_default();
    vectors.retain(|(name, ..)| name.starts_with(&chosen));
    assert!(!vectors.is_empty(), "no vector begins with {chosen}");
    let faults = faults(&vectors, |name, request, expected| {
        let folder = folder().join(name);
        let found = match by_library(name) {
            Some(ask) => library::outcome(ask, &folder, request),
            None => Run::new(&folder, request).outcome(),
        };
        let told = ["verdict", "code", "detail", "claims", "error", "command"];
        let told = told.map(|key| format!("{key} {}", found[key]));
        let as_expected = includes(&found, expected);
        (!as_expected).then(|| format!("wanted {expected}, found {}", told.join(", ")))
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    if chosen.is_empty() {
        every_code_has_one(tree, &vectors);
    }
}

fn every_code_has_one(tree: &Tree, vectors: &[(String, Value, Value)]) {
    let codes: BTreeSet<_> = vectors
        .iter()
        .filter_map(|(_, _, expected)| expected["code"].as_str())
        .collect();
    println!(
        "{} vectors, {} of {} codes, {} KB",
        vectors.len(),
        codes.len(),
        Rejection::ALL.len(),
        tree.values().map(Vec::len).sum::<usize>() / 1000,
    );
    let without: Vec<_> = Rejection::ALL
        .iter()
        .map(|reason| reason.code)
        .filter(|code| !codes.contains(code))
        .collect();
    let allowed: Vec<_> = WITHOUT.iter().map(|(code, _)| *code).collect();
    assert_eq!(without, allowed, "codes without a vector");
}

/// So that a verifier that checks in another order finds the same.
#[test]
fn one_thing_is_wrong_with_each_vector() {
    let explained = ["snp", "tdx", "nvidia"];
    let vectors: Vec<_> = vectors(&TREE)
        .into_iter()
        .filter(|(name, request, _)| {
            let kind = request["kind"].as_str().unwrap();
            explained.contains(&kind) && by_library(name).is_none()
        })
        .collect();
    let faults = faults(&vectors, |name, request, expected| {
        let wanted: BTreeSet<_> = expected["code"].as_str().into_iter().collect();
        let found = Run::new(&folder().join(name), request).failures();
        let others = found.iter().filter(|code| {
            // A quote that is not believed tells no PCR, and answers no question.
            let follows = ["vtpm_pcr_unquoted", "freshness_unchecked"].contains(&code.as_str());
            let is_of_a_quote = wanted.iter().any(|code| code.starts_with("vtpm_"));
            let expected = wanted.contains(code.as_str()) || (follows && is_of_a_quote);
            !expected
        });
        let others: Vec<_> = others.collect();
        let missing: Vec<_> = wanted
            .iter()
            .filter(|code| !found.contains(**code))
            .collect();
        (!others.is_empty() || !missing.is_empty())
            .then(|| format!("wanted {wanted:?}, found {found:?}"))
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
