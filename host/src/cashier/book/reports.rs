//! Price reports, kept to be published.

use super::{Book, Result};

/// The most reports; the oldest go first.
pub(super) const MAX_REPORTS: i64 = 100_000;

impl Book {
    /// Keeps a signed report, once.
    pub(crate) fn put_report(&mut self, digest: &[u8; 32], report: &[u8], now: i64) -> Result<()> {
        self.put_report_of(digest, report, now, MAX_REPORTS)
    }

    pub(super) fn put_report_of(
        &mut self,
        digest: &[u8; 32],
        report: &[u8],
        now: i64,
        most: i64,
    ) -> Result<()> {
        self.db.change(|change| {
            change.run(
                "INSERT INTO reports (digest, report, seen_at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING",
                &[digest.into(), report.into(), now.into()],
            )?;
            let sql = "DELETE FROM reports WHERE id <= (SELECT max(id) FROM reports) - $1";
            change.run(sql, &[most.into()])?;
            Ok(())
        })
    }

    /// How many there are.
    pub(crate) fn reports(&self) -> Result<u64> {
        let sql = "SELECT count(*) AS reports FROM reports";
        let count = self.db.first(sql, &[], |row| row.get("reports"))?;
        Ok(count.unwrap_or_default())
    }
}
