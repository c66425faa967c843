//! docs/reference/rejections.md is made of the table in the code. `UPDATE_DOCS=1 cargo test` writes it anew.

use std::{collections::BTreeSet, env, fmt::Write, fs, path::Path};

use chrysalis_attestation::Rejection;

const INTRODUCTION: &str = "\
# Rejections

Why a verifier refuses evidence. The code is stable; the step is that of [the specification](../spec/verification.md).
This page is made of the table in `attestation/src/rejection.rs`, and a test compares them.

| code | step | what it means | what to do |
|---|---|---|---|
";

fn page() -> String {
    Rejection::ALL
        .iter()
        .fold(INTRODUCTION.to_owned(), |mut page, reason| {
            let (code, step, meaning, hint) =
                (reason.code, reason.step, reason.meaning, reason.hint);
            writeln!(page, "| `{code}` | {step} | {meaning} | {hint} |")
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
