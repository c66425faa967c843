//! Copies the database for a watchtower.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, anyhow};
use clap::Args;

use crate::cashier::{book::Book, options::DatabaseOptions};

#[derive(Debug, Args)]
pub(crate) struct CopyOptions {
    #[command(flatten)]
    database: DatabaseOptions,
    /// The copy; one that is there is replaced
    #[arg(value_name = "FILE")]
    copy: PathBuf,
}

pub(super) fn copy(options: &CopyOptions) -> anyhow::Result<ExitCode> {
    let book = Book::read(&options.database.path()?)?;
    let mut draft = options.copy.clone().into_os_string();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let made = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft);
    made.map_err(|error| {
        anyhow!(
            "cannot make {}: {error}\nhint: choose another folder for the copy",
            draft.display()
        )
    })?;
    book.copy_to(&draft)?;
    // Whole or absent: a watchtower reads it at any moment.
    fs::rename(&draft, &options.copy)
        .with_context(|| format!("cannot replace {}", options.copy.display()))?;
    Ok(ExitCode::SUCCESS)
}
