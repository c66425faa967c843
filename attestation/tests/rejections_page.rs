//! docs/reference/rejections.md is generated from the table in the code. `UPDATE_DOCS=1 cargo test` regenerates it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use chrysalis_attestation::Rejection;
use serde_json::Value;

const INTRODUCTION: &str = "\
# Rejections

Why a verifier refuses evidence. The code is stable; the step is that of [the specification](../spec/verification.md).
This page is generated from the table in `attestation/src/rejection.rs`, and a test keeps the two equal. Each vector provokes its rejection:
[how to run them](../../tests/vectors/README.md).

| code | step | what it means | what to do | vector |
|---|---|---|---|---|
";

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

fn folders(of: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(of).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.is_dir())
}

/// Of each code the vector with the shortest name: others of the same code say in theirs how they differ.
fn vector_of_each_code() -> BTreeMap<String, String> {
    let mut vectors_of = BTreeMap::<String, BTreeSet<(usize, String)>>::new();
    for folder in folders(&vectors()).flat_map(|kind| folders(&kind)) {
        let Ok(expected) = fs::read(folder.join("expected.json")) else {
            continue;
        };
        let expected: Value = serde_json::from_slice(&expected).expect("JSON");
        let name = folder.strip_prefix(vectors()).expect("a vector");
        let name = name.to_str().expect("a plain name").to_owned();
        if let Some(code) = expected["code"].as_str() {
            let vectors = vectors_of.entry(code.to_owned()).or_default();
            vectors.insert((name.len(), name));
        }
    }
    let shortest = |vectors: BTreeSet<(usize, String)>| vectors.into_iter().next().expect("one").1;
    vectors_of
        .into_iter()
        .map(|(code, vectors)| (code, shortest(vectors)))
        .collect()
}

fn page() -> String {
    let vectors = vector_of_each_code();
    Rejection::ALL
        .iter()
        .fold(INTRODUCTION.to_owned(), |mut page, reason| {
            let (code, step, meaning, hint) =
                (reason.code, reason.step, reason.meaning, reason.hint);
            let vector = vectors.get(code).map_or_else(String::new, |vector| {
                format!("[{vector}](../../tests/vectors/{vector})")
            });
            writeln!(
                page,
                "| `{code}` | {step} | {meaning} | {hint} | {vector} |"
            )
            .expect("a string takes any text");
            page
        })
}

#[test]
fn the_page_is_the_table_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/rejections.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page()).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).expect("the page is there");
    assert!(
        found == page(),
        "docs/reference/rejections.md is stale: UPDATE_DOCS=1 cargo test -p chrysalis-attestation"
    );
}

#[test]
fn each_code_is_there_once_and_has_a_hint() {
    let codes: BTreeSet<_> = Rejection::ALL.iter().map(|reason| reason.code).collect();
    assert_eq!(codes.len(), Rejection::ALL.len());
    for reason in Rejection::ALL {
        assert!(
            reason
                .code
                .bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_lowercase()),
            "{}",
            reason.code
        );
        assert!(
            !reason.hint.is_empty() && !reason.hint.ends_with('.'),
            "{}",
            reason.code
        );
        assert!(reason.meaning.ends_with('.'), "{}", reason.code);
    }
}

#[test]
fn each_step_is_in_the_specification() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/spec/verification.md");
    let specification = fs::read_to_string(path).expect("the specification is there");
    for reason in Rejection::ALL {
        assert!(
            specification.contains(&format!("| {} |", reason.step)),
            "{}",
            reason.step
        );
    }
}
