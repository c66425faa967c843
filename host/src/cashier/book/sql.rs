//! What the book says to a database of either kind. Statements are written so that both kinds understand them: `$1` and so on for values,
//! no function that only one of them has.

use std::{fmt, rc::Rc};

/// What went wrong with a database.
#[derive(Debug)]
pub(crate) enum Error {
    Sqlite(rusqlite::Error),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Error),
    /// Something that this program cannot have written.
    Unreadable(String),
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(to),
            #[cfg(feature = "postgres")]
            Self::Postgres(error) => match error.as_db_error() {
                Some(said) => write!(to, "PostgreSQL: {}", said.message()),
                None => write!(to, "PostgreSQL: {error}"),
            },
            Self::Unreadable(what) => to.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

#[cfg(feature = "postgres")]
impl From<postgres::Error> for Error {
    fn from(error: postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

/// A value of a statement.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Null,
    Number(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
}

/// A number as the database holds it. No chain has more nano than that.
fn stored(nano: u64) -> i64 {
    i64::try_from(nano).unwrap_or(i64::MAX)
}

macro_rules! numbers {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Value<'_> {
            fn from(number: $kind) -> Self {
                Self::Number(number.into())
            }
        }
    )*};
}
numbers!(i64, i32, u32, u16);

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(stored(number))
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

/// A value of a row.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Null,
    Number(i64),
    Bytes(Vec<u8>),
    Text(String),
}

/// A row, by the names of its columns.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) names: Rc<[String]>,
    pub(super) cells: Vec<Cell>,
}

impl Row {
    pub(super) fn get<T: FromCell>(&self, column: &str) -> Result<T> {
        let at = self.names.iter().position(|name| name == column);
        let cell = at.and_then(|at| self.cells.get(at));
        cell.and_then(T::of)
            .ok_or_else(|| Error::Unreadable(format!("a value of {column} that makes no sense")))
    }
}

/// What a value of a row may be.
pub(super) trait FromCell: Sized {
    fn of(cell: &Cell) -> Option<Self>;
}

impl FromCell for i64 {
    fn of(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Number(number) => Some(*number),
            _ => None,
        }
    }
}

macro_rules! from_numbers {
    ($($kind:ty),*) => {$(
        impl FromCell for $kind {
            fn of(cell: &Cell) -> Option<Self> {
                i64::of(cell)?.try_into().ok()
            }
        }
    )*};
}
from_numbers!(u64, i32, u32, u16);

impl FromCell for Vec<u8> {
    fn of(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
}

impl<const N: usize> FromCell for [u8; N] {
    fn of(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Bytes(bytes) => bytes.as_slice().try_into().ok(),
            _ => None,
        }
    }
}

impl FromCell for String {
    fn of(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn of(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::of(cell).map(Some),
        }
    }
}

/// Where statements go: a database, or a change of it.
pub(super) trait Sql {
    /// Runs a statement; how many rows it changed.
    fn run(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64>;

    /// What a statement finds.
    fn rows(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>>;

    /// What follows a `SELECT` whose rows nobody else may change until this change is over. Where one writes at a time, nothing.
    fn for_update(&self) -> &'static str {
        ""
    }

    /// The same for one that leaves out the rows that somebody else is changing: the only queue that there is.
    fn skip_locked(&self) -> &'static str {
        ""
    }
}
