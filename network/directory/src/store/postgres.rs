//! PostgreSQL, for a directory of several machines. One change at a time among all of them: each holds one lock from its beginning.

use chrysalis_network::ProviderId;
use postgres::{Client, NoTls, Row, Transaction, types::ToSql};

use super::{CUT, Change, Cut, LISTING, Listed, PAGE, REPORT, Reported, Store, StoreError};

/// The version of the tables.
const VERSION: i64 = 1;
/// What all machines of a directory take turns by.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7235419801637331049)";
const TABLES: &str = "
    CREATE TABLE about (name TEXT PRIMARY KEY, value BYTEA NOT NULL);
    CREATE TABLE listings (
        id BYTEA PRIMARY KEY, weights BYTEA NOT NULL, receipt_key BYTEA NOT NULL, chip BYTEA NOT NULL,
        evidence BYTEA NOT NULL, seq BYTEA NOT NULL, until BIGINT NOT NULL, bytes BYTEA NOT NULL
    );
    CREATE INDEX listings_of_class ON listings (weights, until);
    CREATE INDEX listings_on_chip ON listings (chip, until);
    CREATE INDEX listings_of_key ON listings (receipt_key, weights, until);
    CREATE TABLE evidence (serial BIGSERIAL PRIMARY KEY, digest BYTEA NOT NULL UNIQUE, at BIGINT NOT NULL, bytes BYTEA NOT NULL);
    CREATE TABLE reports (
        receipt_key BYTEA NOT NULL, weights BYTEA NOT NULL, epoch BYTEA NOT NULL, minute BIGINT NOT NULL,
        bytes BYTEA NOT NULL, PRIMARY KEY (receipt_key, weights, epoch)
    );
    CREATE INDEX reports_of_minute ON reports (minute);
    CREATE INDEX reports_of_class ON reports (weights, minute);
    CREATE TABLE cuts (
        weights BYTEA NOT NULL, epoch BIGINT NOT NULL, at BIGINT NOT NULL, whole BYTEA NOT NULL, delta BYTEA NOT NULL,
        PRIMARY KEY (weights, epoch)
    );
    CREATE TABLE entries (number BIGINT PRIMARY KEY, entry TEXT NOT NULL);
    CREATE TABLE heads (size BIGINT PRIMARY KEY, note TEXT NOT NULL);
    CREATE TABLE tables_version (version BIGINT NOT NULL);
    INSERT INTO tables_version VALUES (1);";

/// A database, connected to.
pub struct Postgres {
    client: Client,
    url: String,
}

impl Postgres {
    /// Connects, such as by `host=/run/postgresql dbname=directory`, and makes the tables where they are missing. Over a network, let
    /// something in between encrypt: this does not.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let mut client = Client::connect(url, NoTls)?;
        let mut change = client.transaction()?;
        change.batch_execute(LOCK)?;
        let there = change.query_one("SELECT to_regclass('tables_version') IS NOT NULL", &[])?;
        if there.try_get(0)? {
            let version: i64 = change
                .query_one("SELECT version FROM tables_version", &[])?
                .try_get(0)?;
            if version != VERSION {
                return Err(StoreError::unreadable(format_args!(
                    "tables of version {version}; this program knows {VERSION}"
                )));
            }
        } else {
            change.batch_execute(TABLES)?;
        }
        change.commit()?;
        let url = url.to_owned();
        Ok(Self { client, url })
    }
}

impl Store for Postgres {
    fn change(&mut self) -> Result<Box<dyn Change + '_>, StoreError> {
        if self.client.is_closed() {
            self.client = Client::connect(&self.url, NoTls)?;
        }
        let mut change = self.client.transaction()?;
        change.batch_execute(LOCK)?;
        Ok(Box::new(Under(change)))
    }
}

struct Under<'a>(Transaction<'a>);

type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Under<'_> {
    fn run(&mut self, sql: &str, values: Values<'_>) -> Result<(), StoreError> {
        self.0.execute(sql, values)?;
        Ok(())
    }

    fn one<T>(
        &mut self,
        sql: &str,
        values: Values<'_>,
        read: impl FnOnce(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let row = self.0.query_opt(sql, values)?;
        row.as_ref().map(read).transpose()
    }

    fn all<T>(
        &mut self,
        sql: &str,
        values: Values<'_>,
        read: impl FnMut(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.0.query(sql, values)?.iter().map(read).collect()
    }

    fn count(&mut self, sql: &str, values: Values<'_>) -> Result<u64, StoreError> {
        let count = self.one(sql, values, |row| number(row, 0))?;
        Ok(count.unwrap_or_default())
    }
}

fn fixed<const N: usize>(row: &Row, column: usize) -> Result<[u8; N], StoreError> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes
        .try_into()
        .map_err(|_| StoreError::unreadable("bytes of another length"))
}

fn number(row: &Row, column: usize) -> Result<u64, StoreError> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| StoreError::unreadable("a negative number"))
}

fn stored(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::new("a number that no log reaches", false))
}

fn listing(row: &Row) -> Result<Listed, StoreError> {
    Ok(Listed {
        id: ProviderId(fixed(row, 0)?),
        weights: fixed(row, 1)?,
        receipt_key: fixed(row, 2)?,
        chip: fixed(row, 3)?,
        evidence: fixed(row, 4)?,
        seq: u64::from_be_bytes(fixed(row, 5)?),
        until: row.try_get(6)?,
        bytes: row.try_get(7)?,
    })
}

fn report(row: &Row) -> Result<Reported, StoreError> {
    Ok(Reported {
        receipt_key: fixed(row, 0)?,
        weights: fixed(row, 1)?,
        epoch: u64::from_be_bytes(fixed(row, 2)?),
        minute: row.try_get(3)?,
        bytes: row.try_get(4)?,
    })
}

fn cut(row: &Row) -> Result<Cut, StoreError> {
    Ok(Cut {
        epoch: number(row, 0)?,
        at: row.try_get(1)?,
        whole: row.try_get(2)?,
        delta: row.try_get(3)?,
    })
}

impl Change for Under<'_> {
    fn about(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM about WHERE name = $1";
        self.one(sql, &[&name], |row| Ok(row.try_get(0)?))
    }

    fn set_about(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT INTO about VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.run(sql, &[&name, &value])
    }

    fn listing(&mut self, id: ProviderId) -> Result<Option<Listed>, StoreError> {
        self.one(&format!("{LISTING} WHERE id = $1"), &[&&id.0[..]], listing)
    }

    fn put_listing(&mut self, listed: &Listed) -> Result<(), StoreError> {
        let sql = "INSERT INTO listings VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (id) DO UPDATE SET weights = excluded.weights, receipt_key = excluded.receipt_key,
             chip = excluded.chip, evidence = excluded.evidence, seq = excluded.seq, until = excluded.until,
             bytes = excluded.bytes";
        self.run(
            sql,
            &[
                &&listed.id.0[..],
                &&listed.weights[..],
                &&listed.receipt_key[..],
                &&listed.chip[..],
                &&listed.evidence[..],
                &&listed.seq.to_be_bytes()[..],
                &listed.until,
                &listed.bytes,
            ],
        )
    }

    fn listed(&mut self, weights: &[u8; 32], now: i64) -> Result<Vec<Listed>, StoreError> {
        let sql = format!(
            "{LISTING} WHERE weights = $1 AND until > $2 AND length(bytes) > 0 ORDER BY id"
        );
        self.all(&sql, &[&&weights[..], &now], listing)
    }

    fn of_class(&mut self, weights: &[u8; 32], now: i64) -> Result<u64, StoreError> {
        let sql =
            "SELECT count(*) FROM listings WHERE weights = $1 AND until > $2 AND length(bytes) > 0";
        self.count(sql, &[&&weights[..], &now])
    }

    fn on_chip(&mut self, chip: &[u8; 32], now: i64) -> Result<u64, StoreError> {
        let sql =
            "SELECT count(*) FROM listings WHERE chip = $1 AND until > $2 AND length(bytes) > 0";
        self.count(sql, &[&&chip[..], &now])
    }

    fn lists(
        &mut self,
        receipt_key: &[u8; 32],
        weights: &[u8; 32],
        now: i64,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM listings
             WHERE receipt_key = $1 AND weights = $2 AND until > $3 AND length(bytes) > 0";
        let count = self.count(sql, &[&&receipt_key[..], &&weights[..], &now])?;
        Ok(count > 0)
    }

    fn evidence(&mut self, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT bytes FROM evidence WHERE digest = $1";
        self.one(sql, &[&&digest[..]], |row| Ok(row.try_get(0)?))
    }

    fn put_evidence(&mut self, digest: &[u8; 32], at: i64, bytes: &[u8]) -> Result<(), StoreError> {
        self.run("DELETE FROM evidence WHERE digest = $1", &[&&digest[..]])?;
        let sql = "INSERT INTO evidence (digest, at, bytes) VALUES ($1, $2, $3)";
        self.run(sql, &[&&digest[..], &at, &bytes])
    }

    fn evidence_after(&mut self, serial: i64) -> Result<Option<(i64, [u8; 32])>, StoreError> {
        let sql = "SELECT serial, digest FROM evidence WHERE serial > $1 ORDER BY serial LIMIT 1";
        self.one(sql, &[&serial], |row| Ok((row.try_get(0)?, fixed(row, 1)?)))
    }

    fn report(
        &mut self,
        receipt_key: &[u8; 32],
        weights: &[u8; 32],
        epoch: u64,
    ) -> Result<Option<Reported>, StoreError> {
        let sql = format!("{REPORT} WHERE receipt_key = $1 AND weights = $2 AND epoch = $3");
        let epoch = epoch.to_be_bytes();
        self.one(
            &sql,
            &[&&receipt_key[..], &&weights[..], &&epoch[..]],
            report,
        )
    }

    fn put_report(&mut self, reported: &Reported) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO reports VALUES ($1, $2, $3, $4, $5)",
            &[
                &&reported.receipt_key[..],
                &&reported.weights[..],
                &&reported.epoch.to_be_bytes()[..],
                &reported.minute,
                &reported.bytes,
            ],
        )
    }

    fn reports_of(&mut self, minute: i64) -> Result<Vec<Vec<u8>>, StoreError> {
        let sql =
            "SELECT bytes FROM reports WHERE minute = $1 ORDER BY receipt_key, weights, epoch";
        self.all(sql, &[&minute], |row| Ok(row.try_get(0)?))
    }

    fn next_minute(&mut self, after: i64, before: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT min(minute) FROM reports WHERE minute > $1 AND minute < $2";
        let found = self.one(sql, &[&after, &before], |row| Ok(row.try_get(0)?))?;
        Ok(found.unwrap_or_default())
    }

    fn newest_reports(
        &mut self,
        weights: &[u8; 32],
        since: i64,
    ) -> Result<Vec<Reported>, StoreError> {
        let sql = "SELECT DISTINCT ON (receipt_key) receipt_key, weights, epoch, minute, bytes FROM reports
             WHERE weights = $1 AND minute >= $2 ORDER BY receipt_key, epoch DESC";
        self.all(sql, &[&&weights[..], &since], report)
    }

    fn newest_cut(&mut self, weights: &[u8; 32]) -> Result<Option<Cut>, StoreError> {
        let sql = format!("{CUT} WHERE weights = $1 ORDER BY epoch DESC LIMIT 1");
        self.one(&sql, &[&&weights[..]], cut)
    }

    fn cut(&mut self, weights: &[u8; 32], epoch: u64) -> Result<Option<Cut>, StoreError> {
        let sql = format!("{CUT} WHERE weights = $1 AND epoch = $2");
        self.one(&sql, &[&&weights[..], &stored(epoch)?], cut)
    }

    fn epochs(&mut self, weights: &[u8; 32]) -> Result<Vec<(u64, bool)>, StoreError> {
        let sql = "SELECT epoch, length(delta) > 0 FROM cuts WHERE weights = $1 ORDER BY epoch";
        self.all(sql, &[&&weights[..]], |row| {
            Ok((number(row, 0)?, row.try_get(1)?))
        })
    }

    fn put_cut(&mut self, weights: &[u8; 32], cut: &Cut) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO cuts VALUES ($1, $2, $3, $4, $5)",
            &[
                &&weights[..],
                &stored(cut.epoch)?,
                &cut.at,
                &cut.whole,
                &cut.delta,
            ],
        )
    }

    fn forget_cuts(&mut self, weights: &[u8; 32], before: u64) -> Result<(), StoreError> {
        let sql = "DELETE FROM cuts WHERE weights = $1 AND epoch < $2";
        self.run(sql, &[&&weights[..], &stored(before)?])
    }

    fn entries(&mut self, from: u64) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT entry FROM entries WHERE number >= $1 ORDER BY number LIMIT $2";
        self.all(sql, &[&stored(from)?, &PAGE], |row| Ok(row.try_get(0)?))
    }

    fn put_entry(&mut self, number: u64, entry: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO entries VALUES ($1, $2)";
        self.run(sql, &[&stored(number)?, &entry])
    }

    fn head_after(&mut self, size: u64) -> Result<Option<(u64, String)>, StoreError> {
        let sql = "SELECT size, note FROM heads WHERE size > $1 ORDER BY size LIMIT 1";
        self.one(sql, &[&stored(size)?], |row| {
            Ok((number(row, 0)?, row.try_get(1)?))
        })
    }

    fn put_head(&mut self, size: u64, note: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO heads VALUES ($1, $2)";
        self.run(sql, &[&stored(size)?, &note])
    }

    fn forget(&mut self, listings: i64, evidence: i64, minute: i64) -> Result<(), StoreError> {
        self.run("DELETE FROM listings WHERE until < $1", &[&listings])?;
        self.run(
            "DELETE FROM evidence WHERE at < $1 AND digest NOT IN (SELECT evidence FROM listings)",
            &[&evidence],
        )?;
        self.run("DELETE FROM reports WHERE minute < $1", &[&minute])
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        Ok(self.0.commit()?)
    }
}

impl From<postgres::Error> for StoreError {
    fn from(error: postgres::Error) -> Self {
        let full = error.code() == Some(&postgres::error::SqlState::DISK_FULL);
        Self::new(error, full)
    }
}
