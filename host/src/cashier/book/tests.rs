//! What the database keeps, and how it fails.

use std::time::Duration;

use rusqlite::Connection;

use super::{Book, db::Db};

impl Book {
    fn sqlite(&self) -> &Connection {
        match &self.db {
            Db::Sqlite(db) => db,
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => panic!("PostgreSQL"),
        }
    }

    /// For a database that another program holds.
    pub(in crate::cashier) fn wait_no_longer_than(&self, patience: Duration) {
        self.sqlite().busy_timeout(patience).unwrap();
    }

    /// As if the disk had no room for another page.
    pub(in crate::cashier) fn fill_up(&self) {
        let pages: i64 = self
            .sqlite()
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        let set = format!("PRAGMA max_page_count = {pages}");
        self.sqlite().query_row(&set, [], |_| Ok(())).unwrap();
    }

    pub(in crate::cashier) fn make_room(&self) {
        self.sqlite()
            .query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(()))
            .unwrap();
    }
}

#[test]
fn the_newest_reports_stay() {
    let mut book = Book::in_memory().unwrap();
    for number in 0..20_u8 {
        book.put_report_of(&[number; 32], &[number], 1, 5).unwrap();
    }
    assert_eq!(book.reports().unwrap(), 5);
    let oldest: Vec<u8> = book
        .sqlite()
        .query_row(
            "SELECT report FROM reports ORDER BY id LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(oldest, [15]);
}

#[test]
fn each_commit_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cashier.db");
    let book = Book::open_or_create(&path).unwrap();
    let ask = |what: &str| -> String {
        let value = book
            .sqlite()
            .query_row(&format!("PRAGMA {what}"), [], |row| {
                row.get::<_, rusqlite::types::Value>(0)
            });
        match value.unwrap() {
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Integer(number) => number.to_string(),
            other => panic!("{other:?}"),
        }
    };
    // 2 is FULL.
    assert_eq!([ask("journal_mode"), ask("synchronous")], ["wal", "2"]);
    let mode = std::fs::metadata(&path).unwrap().permissions();
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode);
    assert_eq!(mode & 0o777, 0o600);
}
