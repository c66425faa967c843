//! PostgreSQL, for a cashier of several machines: each statement is a change of its own, or part of one; a connection that is gone is made
//! anew, and until then nothing is noted and nothing handed out.

use std::{rc::Rc, time::Duration};

use bytes::BytesMut;
use postgres::{
    Client, Config, NoTls, Transaction,
    types::{IsNull, ToSql, Type, to_sql_checked},
};

use super::sql::{Cell, Error, Result, Row, Sql, Value};

/// The version of the tables.
const VERSION: i64 = 1;
const TABLES: &str = include_str!("tables.pg.sql");
/// Two cashiers that start at once do not both make the tables.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7235419801637331050)";
/// How long to wait for the server, for a statement, and for another cashier's change.
const PATIENCE: Duration = Duration::from_secs(5);
const LIMITS: &str = "-c statement_timeout=10000 -c lock_timeout=5000";

/// A database, connected to or not.
pub(super) struct Postgres {
    config: Config,
    client: Option<Client>,
}

impl Postgres {
    /// Connects, such as by `host=/run/postgresql dbname=cashier`, and makes the tables where they are missing. Over a network, let
    /// something in between encrypt: this does not.
    pub(super) fn open(words: &str) -> Result<Self> {
        let mut config: Config = words.parse()?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        config.tcp_user_timeout(PATIENCE).options(LIMITS);
        let mut opened = Self {
            config,
            client: None,
        };
        opened.connected()?;
        opened.prepare()?;
        Ok(opened)
    }

    fn client(&mut self) -> Result<&mut Client> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = None;
        }
        match &mut self.client {
            Some(client) => Ok(client),
            none => Ok(none.insert(self.config.connect(NoTls)?)),
        }
    }

    pub(super) fn connected(&mut self) -> Result<&mut dyn Sql> {
        Ok(self.client()? as &mut dyn Sql)
    }

    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut dyn Sql) -> Result<T>,
    ) -> Result<T> {
        let mut begun = self.client()?.transaction()?;
        let changed = change(&mut begun)?;
        begun.commit()?;
        Ok(changed)
    }

    fn prepare(&mut self) -> Result<()> {
        let mut change = self.client()?.transaction()?;
        change.batch_execute(LOCK)?;
        let there = change.query_one("SELECT to_regclass('cashier_version') IS NOT NULL", &[])?;
        if there.try_get(0)? {
            let version: i64 = change
                .query_one("SELECT version FROM cashier_version", &[])?
                .try_get(0)?;
            if version != VERSION {
                return Err(Error::Unreadable(format!(
                    "its tables have version {version}; this program knows {VERSION}"
                )));
            }
        } else {
            change.batch_execute(TABLES)?;
        }
        Ok(change.commit()?)
    }
}

/// A connection, and a change of it, take the same statements.
macro_rules! takes_statements {
    ($kind:ty) => {
        impl Sql for $kind {
            fn run(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
                Ok(self.execute(sql, &of(values))?)
            }

            fn rows(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
                read(&self.query(sql, &of(values))?)
            }

            fn for_update(&self) -> &'static str {
                " FOR UPDATE"
            }

            fn skip_locked(&self) -> &'static str {
                " FOR UPDATE SKIP LOCKED"
            }
        }
    };
}
takes_statements!(Client);
takes_statements!(Transaction<'_>);

fn read(found: &[postgres::Row]) -> Result<Vec<Row>> {
    let columns = found.first().map_or(&[][..], postgres::Row::columns);
    let names: Rc<[String]> = columns
        .iter()
        .map(|column| column.name().to_owned())
        .collect();
    let rows = found.iter().map(|row| {
        let cells = (0..names.len()).map(|at| cell(row, at));
        Ok(Row {
            cells: cells.collect::<Result<_>>()?,
            names: Rc::clone(&names),
        })
    });
    rows.collect()
}

fn of<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

fn cell(row: &postgres::Row, at: usize) -> Result<Cell> {
    let kind = row.columns().get(at).map(postgres::Column::type_);
    let cell = match kind {
        Some(&Type::INT8) => row.try_get::<_, Option<i64>>(at)?.map(Cell::Number),
        Some(&Type::BYTEA) => row.try_get::<_, Option<Vec<u8>>>(at)?.map(Cell::Bytes),
        Some(&Type::TEXT) => row.try_get::<_, Option<String>>(at)?.map(Cell::Text),
        other => return Err(Error::Unreadable(format!("a column of the type {other:?}"))),
    };
    Ok(cell.unwrap_or(Cell::Null))
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        to: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Number(number) => number.to_sql(kind, to),
            Self::Bytes(bytes) => bytes.to_sql(kind, to),
            Self::Text(text) => text.to_sql(kind, to),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::BYTEA, Type::TEXT].contains(kind)
    }

    to_sql_checked!();
}
