//! SQLite: one file, and one that writes it.

use std::rc::Rc;

use rusqlite::types::ValueRef;

use super::sql::{Cell, Error, Result, Row, Sql, Value};

/// A SQLite database, or a change of one.
pub(super) struct Sqlite<'a>(pub(super) &'a rusqlite::Connection);

impl Sqlite<'_> {
    fn prepared(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> rusqlite::Result<rusqlite::Statement<'_>> {
        let mut statement = self.0.prepare(&sql.replace('$', "?"))?;
        for (at, value) in values.iter().enumerate() {
            let at = at.saturating_add(1);
            match value {
                Value::Null => statement.raw_bind_parameter(at, rusqlite::types::Null)?,
                Value::Number(number) => statement.raw_bind_parameter(at, number)?,
                Value::Bytes(bytes) => statement.raw_bind_parameter(at, bytes)?,
                Value::Text(text) => statement.raw_bind_parameter(at, text)?,
            }
        }
        Ok(statement)
    }
}

impl Sql for Sqlite<'_> {
    fn run(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let changed = self.prepared(sql, values)?.raw_execute()?;
        Ok(changed as u64)
    }

    fn rows(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let mut statement = self.prepared(sql, values)?;
        let names = statement.column_names().map(str::to_owned);
        let names: Rc<[String]> = names.collect();
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let cells = (0..names.len()).map(|at| {
                Ok(match row.get_ref(at)? {
                    ValueRef::Null => Cell::Null,
                    ValueRef::Integer(number) => Cell::Number(number),
                    ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
                    ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Real(_) => {
                        return Err(Error::Unreadable("a broken number".to_owned()));
                    }
                })
            });
            found.push(Row {
                cells: cells.collect::<Result<_>>()?,
                names: Rc::clone(&names),
            });
        }
        Ok(found)
    }
}
