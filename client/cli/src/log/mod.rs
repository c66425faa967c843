//! `log`: a transparency log in a folder, to be served as static files: written by its operator, checked by everybody else.

mod arguments;
mod folder;
mod tree;

use std::path::Path;

use anyhow::{Context, bail};
use chrysalis_attestation::{
    Rejection,
    release::{ANYONE_CAN_SIGN, Checkpoint, Head, MAX_ENVELOPE, verify_inclusion},
};
use chrysalis_image::publish::{Passphrase, SigningKey};

pub(crate) use arguments::LogCommand;
use arguments::{AppendArguments, VerifyLogArguments};
use folder::Folder;
use tree::Tree;

use crate::{
    Outcome,
    files::read,
    printable::{print, printable},
    release::{State, development, read_public, refused},
};

pub(crate) fn run(command: &LogCommand) -> anyhow::Result<Outcome> {
    match command {
        LogCommand::Append(arguments) => append(arguments),
        LogCommand::Prove(arguments) => {
            let entry = read(&arguments.file, MAX_ENVELOPE)?;
            let proof = proof_of(&arguments.folder, &entry)?;
            print(&String::from_utf8_lossy(&proof))?;
            Ok(Outcome::Yes)
        }
        LogCommand::Verify(arguments) => verify(arguments),
    }
}

/// The proof that the log in this folder has an entry: to be verified.
pub(crate) fn proof_of(folder: &Path, entry: &[u8]) -> anyhow::Result<Vec<u8>> {
    Folder(folder).proof(entry)
}

/// Whether a head follows the one seen last, by the folder's own proof.
pub(crate) fn follow(
    folder: &Path,
    checkpoint: &Checkpoint,
    seen: Option<Head>,
) -> anyhow::Result<Result<(), Rejection>> {
    let Some(seen) = seen else { return Ok(Ok(())) };
    let growth = Folder(folder).growth(seen.size)?;
    Ok(seen.grew_into(checkpoint, growth.as_deref()))
}

/// Entries first, the head last: a reader finds the old log until all of the new one is there.
fn append(arguments: &AppendArguments) -> anyhow::Result<Outcome> {
    let folder = Folder(&arguments.folder);
    let passphrase = Passphrase::from(arguments.passphrase_file.as_deref());
    let development = development(arguments.development_root);
    let key = SigningKey::read(&arguments.key, &passphrase, development)?;
    let mut entries = folder.entries()?;
    match folder.checkpoint()? {
        None if entries.is_empty() => {}
        None => {
            bail!("the log has entries but no checkpoint; restore it, or begin in an empty folder")
        }
        Some(note) => {
            let old = Checkpoint::verify(&note, key.public())
                .map_err(|rejection| anyhow::anyhow!("{rejection}; {}", rejection.hint()))?;
            // What was once signed must stay; entries beyond it are left from an addition that did not end.
            let signed = usize::try_from(old.size)
                .ok()
                .and_then(|size| entries.get(..size));
            let signed = signed
                .and_then(Tree::of)
                .map(|tree| tree.head(&arguments.origin));
            if signed != Some(old) {
                bail!(
                    "the log's entries, or its --origin, are not those of its checkpoint; restore them: a log only grows"
                );
            }
            entries.truncate(signed.map_or(0, |head| usize::try_from(head.size).unwrap_or(0)));
        }
    }
    let before = entries.len();
    for path in &arguments.files {
        let entry = read(path, MAX_ENVELOPE)?;
        if entries.contains(&entry) {
            bail!("{} is in the log already", path.display());
        }
        entries.push(entry);
    }
    let tree = Tree::of(&entries).context("nothing to add")?;
    let head = tree.head(&arguments.origin);
    let signature = key.sign(head.to_be_signed().as_bytes())?;
    let note = head.note(key.public(), &signature).context(
        "a log signs with an Ed25519 key under a name without white space and `+`: check --key and --origin",
    )?;
    for (number, entry) in entries.iter().enumerate().skip(before) {
        folder.write_entry(number, entry)?;
    }
    for (entry, proof) in tree.inclusions(&note) {
        folder.write_proof(entry, &proof.to_text())?;
    }
    for growth in tree.growths(&note) {
        folder.write_growth(growth.old, &growth.to_text())?;
    }
    folder.write_checkpoint(&note)?;
    print(&note)?;
    if key.public().is_development() {
        print(&format!("{ANYONE_CAN_SIGN}\n"))?;
    }
    Ok(Outcome::Yes)
}

fn verify(arguments: &VerifyLogArguments) -> anyhow::Result<Outcome> {
    let key = match read_public(&arguments.key, development(arguments.development_root))? {
        Ok(key) => key,
        Err(rejection) => {
            print(&refused(&rejection))?;
            return Ok(Outcome::No);
        }
    };
    let folder = Folder(&arguments.folder);
    let mut state = State::open()?;
    let found = if let Some(path) = &arguments.entry {
        let entry = read(path, MAX_ENVELOPE)?;
        verify_inclusion(&entry, &folder.proof(&entry)?, &key)
    } else {
        let note = folder
            .checkpoint()?
            .context("there is no file `checkpoint`; this is no log's folder")?;
        let entries = folder.entries()?;
        Checkpoint::verify(&note, &key).and_then(|checkpoint| {
            let found = Tree::of(&entries).map(|tree| tree.head(&checkpoint.origin));
            let size = checkpoint.size;
            if found.as_ref() == Some(&checkpoint) {
                Ok(checkpoint)
            } else {
                Err(Rejection::LogForked { size })
            }
        })
    };
    let found = match found {
        Ok(checkpoint) => {
            follow(&arguments.folder, &checkpoint, state.head(&key.id()))?.map(|()| checkpoint)
        }
        refused => refused,
    };
    match found {
        Ok(checkpoint) => {
            state.remember_head(&key.id(), checkpoint.head());
            state.save()?;
            let Checkpoint { origin, size, root } = checkpoint;
            let which = if arguments.entry.is_some() {
                "has the file"
            } else {
                "every one is there"
            };
            let warning = if key.is_development() {
                format!("warning {ANYONE_CAN_SIGN}\n")
            } else {
                String::new()
            };
            print(&printable(&format!(
                "log     {origin}\nentries {size}, {which}\nroot    {root}\n{warning}"
            )))?;
            Ok(Outcome::Yes)
        }
        Err(rejection) => {
            print(&refused(&rejection))?;
            Ok(Outcome::No)
        }
    }
}
