//! The list: each guard's name, where it is, and what it becomes when it is off.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::source::Source;

/// Below the root of the tree: the source that guards are quoted from.
pub const SOURCE: &str = "attestation/src";
/// Below the root of the tree: the lists.
pub const LISTS: &str = "tests/mutants/guards";
/// What stands for "this guard is off" where a list says what to put in a guard's place.
const OFF: &str = "OFF";

/// One guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Begins with its step of docs/spec/verification.md, where it has one.
    pub name: String,
    /// Below [`SOURCE`].
    pub file: String,
    /// The function that it stands in, as the source begins it, where its text stands in others too.
    pub within: Option<String>,
    /// The text of the source.
    pub find: String,
    /// What stands there with a switch: `OFF` in it is true if the guard is off.
    pub put: String,
    /// Why no test can miss it; none, if one does.
    pub survives: Option<String>,
}

/// A file of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    guard: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    file: String,
    within: Option<String>,
    /// A condition that means a refusal; off, it never holds.
    wrong: Option<String>,
    /// A condition that has to hold; off, it always does.
    right: Option<String>,
    /// A statement that refuses; off, it is left out.
    step: Option<String>,
    /// Any other text, and what to put in its place.
    find: Option<String>,
    put: Option<String>,
    survives: Option<String>,
}

impl Entry {
    fn read(self) -> Result<Guard> {
        let Self {
            name,
            file,
            within,
            wrong,
            right,
            step,
            find,
            put,
            survives,
        } = self;
        // A condition is evaluated, whatever becomes of it: it may read on.
        let (find, put) = match (wrong, right, step, find, put) {
            (Some(it), None, None, None, None) => (it.clone(), format!("(({it}) && !{OFF})")),
            (None, Some(it), None, None, None) => (it.clone(), format!("(({it}) || {OFF})")),
            (None, None, Some(it), None, None) => (it.clone(), format!("if !{OFF} {{ {it} }}")),
            (None, None, None, Some(find), Some(put)) => (find, put),
            _ => bail!("{name}: give one of wrong, right, step, or find with put"),
        };
        ensure!(put.contains(OFF), "{name}: `put` has no {OFF} in it");
        Ok(Guard {
            name,
            file,
            within,
            find,
            put,
            survives,
        })
    }
}

/// Every guard of the lists below this root, in the order of the files' names.
pub fn all(root: &Path) -> Result<Vec<Guard>> {
    let folder = root.join(LISTS);
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<_> = entries
        .map(|entry| entry.map(|it| it.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let mut guards = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        let list: List = toml::from_str(&text).with_context(|| file.display().to_string())?;
        for entry in list.guard {
            guards.push(entry.read()?);
        }
    }
    let names: BTreeSet<_> = guards.iter().map(|guard| &guard.name).collect();
    ensure!(names.len() == guards.len(), "two guards have one name");
    Ok(guards)
}

/// The files below `root` that guards stand in, each with a switch at every guard.
///
/// Says everything that is wrong with the list: a text that is not in its file, or there more than once, or in another guard's.
pub fn switched(root: &Path, guards: &[Guard]) -> Result<Vec<(String, String)>> {
    let files: BTreeSet<_> = guards.iter().map(|guard| guard.file.as_str()).collect();
    let mut changed = Vec::new();
    let mut faults = Vec::new();
    for file in files {
        let path = root.join(SOURCE).join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut source = Source::new(&text);
        for guard in guards.iter().filter(|guard| guard.file == file) {
            let call = format!("crate::off({:?})", guard.name);
            let put = guard.put.replace(OFF, &call);
            if let Err(fault) = source.replace(guard.within.as_deref(), &guard.find, &put) {
                faults.push(format!("{} in {SOURCE}/{file}: {fault}", guard.name));
            }
        }
        changed.push((file.to_owned(), source.text()));
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(changed)
}
