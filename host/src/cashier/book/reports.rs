//! Price reports, kept to be published.

use rusqlite::params;

use super::Book;

/// The most reports; the oldest go first.
pub(super) const MAX_REPORTS: i64 = 100_000;

impl Book {
    /// Keeps a signed report, once.
    pub(crate) fn put_report(
        &mut self,
        digest: &[u8; 32],
        report: &[u8],
        now: i64,
    ) -> rusqlite::Result<()> {
        self.put_report_of(digest, report, now, MAX_REPORTS)
    }

    pub(super) fn put_report_of(
        &mut self,
        digest: &[u8; 32],
        report: &[u8],
        now: i64,
        most: i64,
    ) -> rusqlite::Result<()> {
        let change = self.change()?;
        change.execute(
            "INSERT INTO reports (digest, report, seen_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![digest, report, now],
        )?;
        change.execute(
            "DELETE FROM reports WHERE id <= (SELECT max(id) FROM reports) - ?1",
            [most],
        )?;
        change.commit()
    }

    /// How many there are.
    pub(crate) fn reports(&self) -> rusqlite::Result<u64> {
        self.db
            .query_row("SELECT count(*) FROM reports", [], |row| row.get(0))
    }
}
