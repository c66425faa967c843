//! SQLite, in one file: for one directory on one machine.

use std::{path::Path, time::Duration};

use chrysalis_network::ProviderId;
use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Row, Transaction, TransactionBehavior, params,
};

use super::{CUT, Change, Cut, LISTING, Listed, PAGE, REPORT, Reported, Store, StoreError};

/// How long to wait while another program writes.
const PATIENCE: Duration = Duration::from_secs(5);
/// The version of the tables.
const VERSION: i32 = 1;
const TABLES: &str = include_str!("tables.sql");

/// The database, open.
#[derive(Debug)]
pub struct Sqlite(Connection);

impl Sqlite {
    /// Opens the file, and makes it if it is missing.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::prepared(Connection::open(path)?)
    }

    /// One that is forgotten with the program.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepared(Connection::open_in_memory()?)
    }

    /// Each commit is on the disk before it is over; readers and the writer do not wait for each other.
    fn prepared(mut db: Connection) -> Result<Self, StoreError> {
        db.busy_timeout(PATIENCE)?;
        let _mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        db.execute_batch("PRAGMA synchronous = FULL")?;
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i32 = change.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match version {
            0 => change.execute_batch(TABLES)?,
            VERSION => {}
            other => {
                return Err(StoreError::unreadable(format_args!(
                    "tables of version {other}; this program knows {VERSION}"
                )));
            }
        }
        change.commit()?;
        Ok(Self(db))
    }
}

impl Store for Sqlite {
    fn change(&mut self) -> Result<Box<dyn Change + '_>, StoreError> {
        let change = self
            .0
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok(Box::new(Under(change)))
    }
}

struct Under<'a>(Transaction<'a>);

impl Under<'_> {
    fn run(&mut self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        self.0.prepare(sql)?.execute(values)?;
        Ok(())
    }

    fn one<T>(
        &mut self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.0.prepare(sql)?;
        Ok(statement.query_row(values, read).optional()?)
    }

    fn all<T>(
        &mut self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.0.prepare(sql)?;
        let rows = statement.query_map(values, read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn listing(row: &Row<'_>) -> rusqlite::Result<Listed> {
    Ok(Listed {
        id: ProviderId(row.get(0)?),
        weights: row.get(1)?,
        receipt_key: row.get(2)?,
        chip: row.get(3)?,
        evidence: row.get(4)?,
        seq: u64::from_be_bytes(row.get(5)?),
        until: row.get(6)?,
        bytes: row.get(7)?,
    })
}

fn report(row: &Row<'_>) -> rusqlite::Result<Reported> {
    Ok(Reported {
        receipt_key: row.get(0)?,
        weights: row.get(1)?,
        epoch: u64::from_be_bytes(row.get(2)?),
        minute: row.get(3)?,
        bytes: row.get(4)?,
    })
}

fn cut(row: &Row<'_>) -> rusqlite::Result<Cut> {
    Ok(Cut {
        epoch: row.get(0)?,
        at: row.get(1)?,
        whole: row.get(2)?,
        delta: row.get(3)?,
    })
}

impl Change for Under<'_> {
    fn about(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM about WHERE name = ?1";
        self.one(sql, [name], |row| row.get(0))
    }

    fn set_about(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT INTO about VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        self.run(sql, params![name, value])
    }

    fn listing(&mut self, id: ProviderId) -> Result<Option<Listed>, StoreError> {
        self.one(&format!("{LISTING} WHERE id = ?1"), [id.0], listing)
    }

    fn put_listing(&mut self, listed: &Listed) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO listings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let seq = listed.seq.to_be_bytes();
        self.run(
            sql,
            params![
                listed.id.0,
                listed.weights,
                listed.receipt_key,
                listed.chip,
                listed.evidence,
                seq,
                listed.until,
                listed.bytes
            ],
        )
    }

    fn listed(&mut self, weights: &[u8; 32], now: i64) -> Result<Vec<Listed>, StoreError> {
        let sql = format!(
            "{LISTING} WHERE weights = ?1 AND until > ?2 AND length(bytes) > 0 ORDER BY id"
        );
        self.all(&sql, params![weights, now], listing)
    }

    fn of_class(&mut self, weights: &[u8; 32], now: i64) -> Result<u64, StoreError> {
        let sql =
            "SELECT count(*) FROM listings WHERE weights = ?1 AND until > ?2 AND length(bytes) > 0";
        let count = self.one(sql, params![weights, now], |row| row.get(0))?;
        Ok(count.unwrap_or_default())
    }

    fn on_chip(&mut self, chip: &[u8; 32], now: i64) -> Result<u64, StoreError> {
        let sql =
            "SELECT count(*) FROM listings WHERE chip = ?1 AND until > ?2 AND length(bytes) > 0";
        let count = self.one(sql, params![chip, now], |row| row.get(0))?;
        Ok(count.unwrap_or_default())
    }

    fn lists(
        &mut self,
        receipt_key: &[u8; 32],
        weights: &[u8; 32],
        now: i64,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM listings
             WHERE receipt_key = ?1 AND weights = ?2 AND until > ?3 AND length(bytes) > 0 LIMIT 1";
        let found = self.one(sql, params![receipt_key, weights, now], |_| Ok(()))?;
        Ok(found.is_some())
    }

    fn evidence(&mut self, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT bytes FROM evidence WHERE digest = ?1";
        self.one(sql, [digest], |row| row.get(0))
    }

    fn put_evidence(&mut self, digest: &[u8; 32], at: i64, bytes: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO evidence (digest, at, bytes) VALUES (?1, ?2, ?3)";
        self.run(sql, params![digest, at, bytes])
    }

    fn evidence_after(&mut self, serial: i64) -> Result<Option<(i64, [u8; 32])>, StoreError> {
        let sql = "SELECT serial, digest FROM evidence WHERE serial > ?1 ORDER BY serial LIMIT 1";
        self.one(sql, [serial], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn report(
        &mut self,
        receipt_key: &[u8; 32],
        weights: &[u8; 32],
        epoch: u64,
    ) -> Result<Option<Reported>, StoreError> {
        let sql = format!("{REPORT} WHERE receipt_key = ?1 AND weights = ?2 AND epoch = ?3");
        let values = params![receipt_key, weights, epoch.to_be_bytes()];
        self.one(&sql, values, report)
    }

    fn put_report(&mut self, reported: &Reported) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO reports VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                reported.receipt_key,
                reported.weights,
                reported.epoch.to_be_bytes(),
                reported.minute,
                reported.bytes
            ],
        )
    }

    fn reports_of(&mut self, minute: i64) -> Result<Vec<Vec<u8>>, StoreError> {
        let sql =
            "SELECT bytes FROM reports WHERE minute = ?1 ORDER BY receipt_key, weights, epoch";
        self.all(sql, [minute], |row| row.get(0))
    }

    fn next_minute(&mut self, after: i64, before: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT min(minute) FROM reports WHERE minute > ?1 AND minute < ?2";
        Ok(self
            .one(sql, [after, before], |row| row.get(0))?
            .unwrap_or_default())
    }

    fn newest_reports(
        &mut self,
        weights: &[u8; 32],
        since: i64,
    ) -> Result<Vec<Reported>, StoreError> {
        let sql = "SELECT receipt_key, weights, max(epoch), minute, bytes FROM reports
             WHERE weights = ?1 AND minute >= ?2 GROUP BY receipt_key ORDER BY receipt_key";
        self.all(sql, params![weights, since], report)
    }

    fn newest_cut(&mut self, weights: &[u8; 32]) -> Result<Option<Cut>, StoreError> {
        let sql = format!("{CUT} WHERE weights = ?1 ORDER BY epoch DESC LIMIT 1");
        self.one(&sql, [weights], cut)
    }

    fn cut(&mut self, weights: &[u8; 32], epoch: u64) -> Result<Option<Cut>, StoreError> {
        let sql = format!("{CUT} WHERE weights = ?1 AND epoch = ?2");
        self.one(&sql, params![weights, epoch], cut)
    }

    fn epochs(&mut self, weights: &[u8; 32]) -> Result<Vec<(u64, bool)>, StoreError> {
        let sql = "SELECT epoch, length(delta) > 0 FROM cuts WHERE weights = ?1 ORDER BY epoch";
        self.all(sql, [weights], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn put_cut(&mut self, weights: &[u8; 32], cut: &Cut) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO cuts VALUES (?1, ?2, ?3, ?4, ?5)",
            params![weights, cut.epoch, cut.at, cut.whole, cut.delta],
        )
    }

    fn forget_cuts(&mut self, weights: &[u8; 32], before: u64) -> Result<(), StoreError> {
        let sql = "DELETE FROM cuts WHERE weights = ?1 AND epoch < ?2";
        self.run(sql, params![weights, before])
    }

    fn entries(&mut self, from: u64) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT entry FROM entries WHERE number >= ?1 ORDER BY number LIMIT ?2";
        self.all(sql, params![from, PAGE], |row| row.get(0))
    }

    fn put_entry(&mut self, number: u64, entry: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO entries VALUES (?1, ?2)";
        self.run(sql, params![number, entry])
    }

    fn head_after(&mut self, size: u64) -> Result<Option<(u64, String)>, StoreError> {
        let sql = "SELECT size, note FROM heads WHERE size > ?1 ORDER BY size LIMIT 1";
        self.one(sql, [size], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn put_head(&mut self, size: u64, note: &str) -> Result<(), StoreError> {
        self.run("INSERT INTO heads VALUES (?1, ?2)", params![size, note])
    }

    fn forget(&mut self, listings: i64, evidence: i64, minute: i64) -> Result<(), StoreError> {
        self.run("DELETE FROM listings WHERE until < ?1", [listings])?;
        self.run(
            "DELETE FROM evidence WHERE at < ?1 AND digest NOT IN (SELECT evidence FROM listings)",
            [evidence],
        )?;
        self.run("DELETE FROM reports WHERE minute < ?1", [minute])
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        Ok(self.0.commit()?)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let full = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure)
        );
        Self::new(error, full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_that_says_so_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Sqlite::open(&folder.path().join("db")).unwrap();
        let put = |store: &mut Sqlite, digest: u8| {
            let mut change = store.change()?;
            change.put_evidence(&[digest; 32], 0, &vec![digest; 500_000])?;
            change.commit()
        };
        put(&mut store, 1).unwrap();
        let pages: i64 = store
            .0
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        let limit = |store: &Sqlite, pages: i64| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            store.0.query_row(&sql, [], |_| Ok(())).unwrap();
        };
        limit(&store, pages);
        let error = put(&mut store, 2).unwrap_err();
        assert!(error.hint().starts_with("make room"), "{error}");
        let mut change = store.change().unwrap();
        let kept = change.evidence(&[1; 32]).unwrap();
        assert_eq!(kept, Some(vec![1; 500_000]));
        assert_eq!(change.evidence(&[2; 32]).unwrap(), None);
        drop(change);
        limit(&store, pages * 10);
        put(&mut store, 2).unwrap();
    }

    #[test]
    fn a_database_of_another_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let other = Connection::open(&path).unwrap();
        other.execute_batch("PRAGMA user_version = 9").unwrap();
        drop(other);
        let error = Sqlite::open(&path).unwrap_err().to_string();
        assert!(error.contains("tables of version 9"), "{error}");
    }
}
