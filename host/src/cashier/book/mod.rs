//! The cashier's database: what enclaves say is owed, what was claimed of it, and what the chain paid. Nothing in it is secret; all of it
//! that is worth money can be shown by signatures.
//!
//! What a function has returned from is on the disk.

pub(crate) mod claims;
pub(crate) mod lanes;
mod reports;
pub(crate) mod tabs;
#[cfg(test)]
mod tests;

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params, types::Type};
use tycho_types::models::StdAddr;

/// How long to wait while another program writes.
const PATIENCE: Duration = Duration::from_secs(5);
/// The version of the tables.
const VERSION: i32 = 1;
const TABLES: &str = include_str!("tables.sql");

/// The database, open.
pub(crate) struct Book {
    db: Connection,
}

/// Whose database it is: it has the lanes of one payee on one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Who is paid.
    pub(crate) payee: StdAddr,
    /// The chain's global id, once it was known.
    pub(crate) network: Option<i32>,
}

impl Book {
    /// Opens the file, and makes it if it is missing, readable by its owner only.
    pub(crate) fn open_or_create(path: &Path) -> anyhow::Result<Self> {
        let made = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path);
        made.map_err(|error| {
            anyhow!(
                "cannot make the cashier's database {}: {error}\nhint: name another with --cashier",
                path.display()
            )
        })?;
        Self::open(path)
    }

    /// Opens a file that is there.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut book = Self::connect(path, flags)?;
        book.check(path, &[0, VERSION])?;
        book.prepare().map_err(|error| unusable(path, &error))?;
        Ok(book)
    }

    /// Opens a file that is there, to read alone.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let book = Self::connect(path, flags)?;
        book.check(path, &[VERSION])?;
        Ok(book)
    }

    /// One that is forgotten with the program.
    pub(crate) fn in_memory() -> rusqlite::Result<Self> {
        let mut book = Self {
            db: Connection::open_in_memory()?,
        };
        book.prepare()?;
        Ok(book)
    }

    fn connect(path: &Path, flags: OpenFlags) -> anyhow::Result<Self> {
        File::open(path).map_err(|error| {
            anyhow!(
                "cannot read the cashier's database {}: {error}\nhint: name it with --cashier FILE, or its folder with --state DIR",
                path.display()
            )
        })?;
        let db = Connection::open_with_flags(path, flags);
        let db = db.and_then(|db| db.busy_timeout(PATIENCE).map(|()| db));
        let db = db.map_err(|error| unusable(path, &error))?;
        Ok(Self { db })
    }

    fn version(&self) -> rusqlite::Result<i32> {
        self.db
            .query_row("PRAGMA user_version", [], |row| row.get(0))
    }

    /// An empty database has version 0.
    fn check(&self, path: &Path, versions: &[i32]) -> anyhow::Result<()> {
        let version = self.version().map_err(|error| unusable(path, &error))?;
        if !versions.contains(&version) {
            bail!(
                "{} is not a cashier's database of this version\nhint: name the file that `chrysalis-host run --cashier FILE` keeps",
                path.display()
            );
        }
        Ok(())
    }

    /// Each commit is on the disk before it is over; readers and the writer do not wait for each other.
    fn prepare(&mut self) -> rusqlite::Result<()> {
        let _mode: String = self
            .db
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        self.db.execute_batch("PRAGMA synchronous = FULL")?;
        let change = self.change()?;
        let version: i32 = change.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version == 0 {
            change.execute_batch(TABLES)?;
        }
        change.commit()
    }

    /// A change, all of it or nothing.
    fn change(&mut self) -> rusqlite::Result<rusqlite::Transaction<'_>> {
        self.db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
    }

    /// Whose it is; `None`: it is new.
    pub(crate) fn owner(&self) -> rusqlite::Result<Option<Owner>> {
        let row = self.db.query_row(
            "SELECT payee, network FROM owner",
            [],
            |row| -> rusqlite::Result<(String, Option<i32>)> { Ok((row.get(0)?, row.get(1)?)) },
        );
        let Some((payee, network)) = row.optional()? else {
            return Ok(None);
        };
        let payee = payee
            .parse()
            .map_err(|error| unreadable(Type::Text, error))?;
        Ok(Some(Owner { payee, network }))
    }

    /// Writes down whose it is.
    pub(crate) fn set_owner(&mut self, owner: &Owner) -> rusqlite::Result<()> {
        self.db.execute(
            "INSERT INTO owner (one, payee, network) VALUES (1, ?1, ?2)
             ON CONFLICT DO UPDATE SET payee = excluded.payee, network = excluded.network",
            params![owner.payee.to_string(), owner.network],
        )?;
        Ok(())
    }

    /// Writes a copy to a file that is not there, or is empty.
    pub(crate) fn copy_to(&self, path: &Path) -> anyhow::Result<()> {
        let text = path
            .to_str()
            .context("the copy's path is not valid UTF-8\nhint: choose another")?;
        self.db
            .execute("VACUUM INTO ?1", [text])
            .map_err(|error| unusable(path, &error))?;
        File::open(path)
            .and_then(|file| file.sync_all())
            .with_context(|| path.display().to_string())
    }
}

/// An error of opening, with what to do.
fn unusable(path: &Path, error: &rusqlite::Error) -> anyhow::Error {
    anyhow!(
        "the cashier's database {}: {}",
        path.display(),
        explained(error)
    )
}

/// What is wrong with the database, and what to do.
pub(crate) fn explained(error: &rusqlite::Error) -> String {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => {
            "make room on the disk that it is on; nothing counts as noted until then, and enclaves send it again"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "end the other program that holds it; enclaves send again what was not noted"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "let this user write the file and its folder"
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "put it aside and begin with a new one, or with a copy: enclaves that run send again what they are owed, and the chain knows \
             what was paid"
        }
        _ => "check that this version of chrysalis-host made it",
    };
    format!("{error}\nhint: {hint}")
}

/// Something that this program cannot have written.
fn unreadable(
    kind: Type,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, kind, Box::new(error))
}

/// A row's bytes, of the length that they must have.
fn fixed<const N: usize>(row: &rusqlite::Row<'_>, column: &str) -> rusqlite::Result<[u8; N]> {
    row.get(column)
}
