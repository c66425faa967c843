//! What rebuilders and publishers signed about images, from files that the provider names, handed to the enclave with what vendors
//! signed.
//!
//! Nothing is believed here: a statement counts by the keys that a relying party's policy names, and one about another image
//! counts for nothing. Only what no verifier could read is refused, because that is the provider's mistake.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    sync::Mutex,
};

use anyhow::{Context, bail};
use chrysalis_attestation::release::{Envelope, MAX_STATEMENTS};

use crate::mutex::held;

/// The most bytes of all of them: a bundle may have 1 MiB, and the GPUs' manifests need most of it.
const MAX_BYTES: usize = 256 * 1024;
/// Lies next to the statements in a release's folder, and is not one.
const MANIFEST: &str = "manifest.json";

/// Statements, and the files and folders that they are read from.
pub(crate) struct Statements {
    places: Vec<PathBuf>,
    read: Mutex<Vec<Vec<u8>>>,
}

impl Statements {
    /// Reads them for the first time.
    pub(crate) fn open(places: &[PathBuf]) -> anyhow::Result<Self> {
        Ok(Self {
            places: places.to_vec(),
            read: Mutex::new(read(places)?),
        })
    }

    /// Reads them again: rebuilders take their time, and the guest runs meanwhile.
    pub(crate) fn renew(&self) -> anyhow::Result<()> {
        let statements = read(&self.places)?;
        *held(&self.read) = statements;
        Ok(())
    }

    /// As they were read last: DSSE envelopes, JSON.
    pub(crate) fn current(&self) -> Vec<Vec<u8>> {
        held(&self.read).clone()
    }
}

fn read(places: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut statements: Vec<Vec<u8>> = Vec::new();
    let mut left = MAX_BYTES;
    for place in places {
        for path in files(place)? {
            let statement = one(&path, left)?;
            left = left.saturating_sub(statement.len());
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
    }
    if statements.len() > MAX_STATEMENTS {
        bail!(
            "{} statements are more than the {MAX_STATEMENTS} that a verifier reads\nhint: keep only those of rebuilders whom relying parties name",
            statements.len()
        );
    }
    Ok(statements)
}

/// A file, or the statements in a release's folder, in the order of their names.
fn files(place: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let entries = fs::read_dir(place).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<PathBuf> = entries
        .with_context(|| format!("cannot read the folder {}", place.display()))?
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .filter(|path| path.file_name().is_some_and(|name| name != MANIFEST))
        .collect();
    paths.sort();
    Ok(paths)
}

/// One envelope, of at most so many bytes.
fn one(path: &Path, limit: usize) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let mut statement = Vec::new();
    File::open(path)
        .and_then(|file| {
            let more = limit.saturating_add(1) as u64;
            file.take(more).read_to_end(&mut statement)
        })
        .with_context(|| format!("cannot read the statement {shown}"))?;
    if statement.len() > limit {
        bail!(
            "with {shown} the statements have more than {MAX_BYTES} bytes\nhint: keep only those of rebuilders whom relying parties name"
        );
    }
    if let Err(rejection) = Envelope::parse(&statement) {
        bail!(
            "{shown} is not a statement: {rejection}\nhint: rebuilders make one with `chrysalis audit --sign KEY --statement FILE`, publishers with `chrysalis-image release endorse`"
        );
    }
    Ok(statement)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(payload: &[u8]) -> String {
        Envelope::new(payload.to_vec()).to_json()
    }

    #[test]
    fn reads_files_and_the_folder_of_a_release_and_each_statement_once() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for (name, payload) in [
            ("b.json", "two"),
            ("a.json", "one"),
            ("manifest.json", "no"),
        ] {
            fs::write(place(name), envelope(payload.as_bytes())).unwrap();
        }
        fs::write(place("notes.txt"), "none").unwrap();
        let places = [folder.path().to_owned(), place("a.json")];
        let statements = Statements::open(&places).unwrap();
        let both = [envelope(b"one"), envelope(b"two")].map(String::into_bytes);
        assert_eq!(statements.current(), both);
        fs::write(place("c.json"), envelope(b"three")).unwrap();
        statements.renew().unwrap();
        assert_eq!(statements.current().len(), 3);
        // One that is half written keeps the others.
        fs::write(place("d.json"), "{").unwrap();
        assert!(statements.renew().is_err());
        assert_eq!(statements.current().len(), 3);
    }

    #[test]
    fn refuses_what_no_verifier_would_read_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            match Statements::open(&[path]) {
                Err(error) => error.to_string(),
                Ok(_) => panic!("{name} was taken"),
            }
        };
        let why = refused("none", "{}");
        assert!(
            why.contains("is not a statement") && why.contains("chrysalis audit"),
            "{why}"
        );
        let why = refused("long", &envelope(&b" ".repeat(MAX_BYTES)));
        assert!(why.contains("more than 262144 bytes"), "{why}");
        let many: Vec<PathBuf> = (0..=MAX_STATEMENTS)
            .map(|number| {
                let path = folder.path().join(number.to_string());
                fs::write(&path, envelope(&[u8::try_from(number).unwrap()])).unwrap();
                path
            })
            .collect();
        let why = Statements::open(&many).err().unwrap().to_string();
        assert!(why.starts_with("33 statements are more"), "{why}");
        let absent = folder.path().join("absent");
        let why = Statements::open(&[absent]).err().unwrap().to_string();
        assert!(why.starts_with("cannot read the statement"), "{why}");
    }
}
