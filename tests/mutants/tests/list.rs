//! The list of guards fits the source, and docs/reference/mutants.md is made of it. `UPDATE_DOCS=1 cargo test` writes the page anew.

use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use chrysalis_mutants::{
    guard::{Guard, all, switched},
    source::Source,
};

const INTRODUCTION: &str = include_str!("page.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn guards() -> Vec<Guard> {
    all(&root()).expect("the lists")
}

/// A guard that was moved or reworded has to be so in the list too.
#[test]
fn every_guard_stands_in_the_source_exactly_once() {
    if let Err(faults) = switched(&root(), &guards()) {
        panic!("the list in tests/mutants/guards does not fit the source any more:\n{faults}");
    }
}

fn page() -> String {
    let guards = guards();
    let survivors = guards
        .iter()
        .filter_map(|guard| guard.survives.as_ref().map(|why| (guard, why)));
    let mut page = INTRODUCTION.replace("{count}", &guards.len().to_string());
    for (Guard { name, file, .. }, why) in survivors {
        writeln!(page, "| `{name}` | `{file}` | {why} |").expect("a string takes any text");
    }
    page
}

#[test]
fn the_page_is_made_of_the_list() {
    let path = root().join("docs/reference/mutants.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page()).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page(),
        "docs/reference/mutants.md is stale: UPDATE_DOCS=1 cargo test -p chrysalis-mutants"
    );
}

const TEXT: &str = "fn one() {
    if wrong(
        a, b
    ) {
        refuse();
    }
}
fn two() {
    if c { refuse(); }
}
#[cfg(test)]
mod tests {
    fn three() { if wrong(a, b) {} }
}
";

#[test]
fn a_text_is_found_whatever_its_white_space_and_not_in_tests() {
    let mut source = Source::new(TEXT);
    assert_eq!(source.replace(None, "wrong(a, b)", "false"), Ok(()));
    assert!(source.text().starts_with("fn one() {\n    if false {"));
}

#[test]
fn a_text_has_to_be_there_once_and_alone() {
    let mut source = Source::new(TEXT);
    assert_eq!(
        source.replace(None, "refuse();", ""),
        Err("it stands there more than once")
    );
    assert_eq!(source.replace(Some("fn two()"), "refuse();", ""), Ok(()));
    assert_eq!(
        source.replace(Some("fn two()"), "a, b", ""),
        Err("it does not stand there")
    );
    assert_eq!(
        source.replace(None, "if c { refuse(); }", ""),
        Err("it runs into another guard")
    );
}
