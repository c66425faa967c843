//! The cashier's database: what enclaves say is owed, what was claimed of it, and what the chain paid. Nothing in it is secret; all of it
//! that is worth money can be shown by signatures.
//!
//! What a function has returned from is on the disk.

pub(crate) mod claims;
mod db;
pub(crate) mod lanes;
#[cfg(feature = "postgres")]
mod postgres;
mod reports;
pub(crate) mod slices;
mod sql;
mod sqlite;
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
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tycho_types::models::StdAddr;

use self::db::Db;
pub(crate) use self::sql::{Error, Result};

/// How long to wait while another program writes.
const PATIENCE: Duration = Duration::from_secs(5);
/// The version of the tables. Version 1 had none for fleets.
const VERSION: i32 = 2;
const TABLES: &str = include_str!("tables.sql");
const FLEET: &str = include_str!("fleet.sql");

/// The database, open.
pub(crate) struct Book {
    db: Db,
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
        let mut db = connect(path, flags)?;
        check(&db, path, &[0, 1, VERSION])?;
        prepare(&mut db).map_err(|error| unusable(path, &error.into()))?;
        Ok(Self { db: Db::Sqlite(db) })
    }

    /// Opens a file that is there, to read alone.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = connect(path, flags)?;
        check(&db, path, &[1, VERSION])?;
        Ok(Self { db: Db::Sqlite(db) })
    }

    /// One that is forgotten with the program.
    pub(crate) fn in_memory() -> Result<Self> {
        let mut db = Connection::open_in_memory()?;
        prepare(&mut db)?;
        Ok(Self { db: Db::Sqlite(db) })
    }

    /// A PostgreSQL database, such as `host=/run/postgresql dbname=cashier`: several cashiers may share it.
    #[cfg(feature = "postgres")]
    pub(crate) fn postgres(words: &str) -> anyhow::Result<Self> {
        let opened = postgres::Postgres::open(words);
        let opened = opened.map_err(|error| {
            anyhow!(
                "the cashier's database: {error}\nhint: write --postgres as PostgreSQL's clients do, such as \
                 `host=/run/postgresql dbname=cashier`, and let this user make tables there"
            )
        })?;
        Ok(Self {
            db: Db::Postgres(Box::new(opened.into())),
        })
    }

    /// Whose it is; `None`: it is new.
    pub(crate) fn owner(&self) -> Result<Option<Owner>> {
        self.db
            .first("SELECT payee, network FROM owner", &[], |row| {
                let payee: String = row.get("payee")?;
                let payee = payee
                    .parse()
                    .map_err(|_| Error::Unreadable("a payee that is no address".to_owned()))?;
                let network = row.get("network")?;
                Ok(Owner { payee, network })
            })
    }

    /// Writes down whose it is.
    pub(crate) fn set_owner(&mut self, owner: &Owner) -> Result<()> {
        let payee = owner.payee.to_string();
        self.db.run(
            "INSERT INTO owner (one, payee, network) VALUES (1, $1, $2)
             ON CONFLICT (one) DO UPDATE SET payee = excluded.payee, network = excluded.network",
            &[payee.as_str().into(), owner.network.into()],
        )?;
        Ok(())
    }

    /// Writes a copy to a file that is not there, or is empty.
    pub(crate) fn copy_to(&self, path: &Path) -> anyhow::Result<()> {
        let text = path
            .to_str()
            .context("the copy's path is not valid UTF-8\nhint: choose another")?;
        let copied = match &self.db {
            Db::Sqlite(db) => db.execute("VACUUM INTO ?1", [text]),
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => {
                bail!("PostgreSQL copies its databases itself\nhint: use pg_dump, or a replica")
            }
        };
        copied.map_err(|error| unusable(path, &error.into()))?;
        File::open(path)
            .and_then(|file| file.sync_all())
            .with_context(|| path.display().to_string())
    }
}

fn connect(path: &Path, flags: OpenFlags) -> anyhow::Result<Connection> {
    File::open(path).map_err(|error| {
        anyhow!(
            "cannot read the cashier's database {}: {error}\nhint: name it with --cashier FILE, or its folder with --state DIR",
            path.display()
        )
    })?;
    let db = Connection::open_with_flags(path, flags);
    let db = db.and_then(|db| db.busy_timeout(PATIENCE).map(|()| db));
    db.map_err(|error| unusable(path, &error.into()))
}

fn version(db: &Connection) -> rusqlite::Result<i32> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// An empty database has version 0.
fn check(db: &Connection, path: &Path, versions: &[i32]) -> anyhow::Result<()> {
    let version = version(db).map_err(|error| unusable(path, &error.into()))?;
    if !versions.contains(&version) {
        bail!(
            "{} is not a cashier's database of this version\nhint: name the file that `chrysalis-host run --cashier FILE` keeps",
            path.display()
        );
    }
    Ok(())
}

/// Each commit is on the disk before it is over; readers and the writer do not wait for each other.
fn prepare(db: &mut Connection) -> rusqlite::Result<()> {
    let _mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    db.execute_batch("PRAGMA synchronous = FULL")?;
    let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found = version(&change)?;
    if found == 0 {
        change.execute_batch(TABLES)?;
    }
    if found < VERSION {
        change.execute_batch(FLEET)?;
    }
    change.commit()
}

/// An error of opening, with what to do.
fn unusable(path: &Path, error: &Error) -> anyhow::Error {
    anyhow!(
        "the cashier's database {}: {}",
        path.display(),
        explained(error)
    )
}

/// What is wrong with the database, and what to do.
pub(crate) fn explained(error: &Error) -> String {
    let code = match error {
        Error::Sqlite(error) => error.sqlite_error_code(),
        #[cfg(feature = "postgres")]
        Error::Postgres(_) => {
            return format!(
                "{error}\nhint: see whether the server runs and answers; nothing counts as noted until then, and enclaves send it again"
            );
        }
        Error::Unreadable(_) => None,
    };
    let hint = match code {
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
