//! The database, of either kind.

#[cfg(feature = "postgres")]
use std::cell::RefCell;

#[cfg(feature = "postgres")]
use super::postgres::Postgres;
use super::{
    sql::{Result, Row, Sql, Value},
    sqlite::Sqlite,
};

/// The database.
pub(super) enum Db {
    Sqlite(rusqlite::Connection),
    #[cfg(feature = "postgres")]
    Postgres(Box<RefCell<Postgres>>),
}

impl Db {
    /// Asks something: each statement by itself.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&mut dyn Sql) -> Result<T>) -> Result<T> {
        match self {
            Self::Sqlite(connection) => ask(&mut Sqlite(connection)),
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => ask(postgres.borrow_mut().connected()?),
        }
    }

    /// Changes something: all of it, or nothing.
    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut dyn Sql) -> Result<T>,
    ) -> Result<T> {
        match self {
            Self::Sqlite(connection) => {
                let begun = connection
                    .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                let changed = change(&mut Sqlite(&begun))?;
                begun.commit()?;
                Ok(changed)
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(postgres) => postgres.get_mut().change(change),
        }
    }

    /// One statement that changes something.
    pub(super) fn run(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        self.ask(|db| db.run(sql, values))
    }

    /// All that a statement finds.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.ask(|db| db.rows(sql, values))?
            .iter()
            .map(read)
            .collect()
    }

    /// The first of it.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        let rows = self.ask(|db| db.rows(sql, values))?;
        rows.first().map(read).transpose()
    }
}
