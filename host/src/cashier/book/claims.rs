//! Claims: what was sent, what it cost, and whether the chain shows it as paid.

use super::{
    Book, Result,
    sql::{Row, Value},
};
use crate::cashier::lane::{LaneId, TabKey};

/// A claim on one tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) id: i64,
    pub(crate) lane: LaneId,
    pub(crate) key: TabKey,
    /// Nano that the contract had paid on the tab before.
    pub(crate) paid_before: u64,
    /// Nano that were due when it was sent last.
    pub(crate) due: u64,
    /// The logical time of the purse's last transaction before it.
    pub(crate) lt: u64,
    /// How often it was sent.
    pub(crate) times: u32,
    /// When it was sent last, and when it is sent again.
    pub(crate) at: i64,
    pub(crate) again_at: i64,
    /// Nano that the contract paid, fees included, and when that was seen.
    pub(crate) paid: Option<u64>,
    pub(crate) paid_at: Option<i64>,
    /// Nano that it cost, if that is known.
    pub(crate) cost: Option<u64>,
}

impl Book {
    /// A claim is sent now, for the first time or again. Written before it is sent, so that none is forgotten.
    pub(crate) fn sending(&mut self, sent: &Sent) -> Result<()> {
        self.db.run(
            "INSERT INTO claims (purse, lane, receipt_key, branch, paid_before, due, lt, times, sent_at, again_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (purse, lane, receipt_key, branch) WHERE paid_at IS NULL
             DO UPDATE SET due = excluded.due, times = excluded.times, sent_at = excluded.sent_at, again_at = excluded.again_at",
            &[
                (&sent.lane.purse).into(),
                sent.lane.lane.into(),
                (&sent.key.0).into(),
                sent.key.1.into(),
                sent.paid_before.into(),
                sent.due.into(),
                sent.lt.into(),
                sent.times.into(),
                sent.at.into(),
                sent.again_at.into(),
            ],
        )?;
        Ok(())
    }

    /// The chain shows it as paid.
    pub(crate) fn settled(
        &mut self,
        id: i64,
        paid: u64,
        cost: Option<u64>,
        now: i64,
    ) -> Result<()> {
        self.db.run(
            "UPDATE claims SET paid = $2, cost = $3, paid_at = $4 WHERE id = $1 AND paid_at IS NULL",
            &[id.into(), paid.into(), cost.into(), now.into()],
        )?;
        Ok(())
    }

    /// Nothing will come of it: the contract refuses it while so much is due, or there is nothing left to claim.
    pub(crate) fn dropped(&mut self, sent: &Sent, refused: bool, now: i64) -> Result<()> {
        let tab: [Value<'_>; 4] = [
            (&sent.lane.purse).into(),
            sent.lane.lane.into(),
            (&sent.key.0).into(),
            sent.key.1.into(),
        ];
        let [purse, lane, key, branch] = tab;
        self.db.change(|change| {
            change.run(
                "DELETE FROM claims WHERE purse = $1 AND lane = $2 AND receipt_key = $3 AND branch = $4 AND paid_at IS NULL",
                &tab,
            )?;
            if refused {
                change.run(
                    "UPDATE tabs SET refused_due = $5, refused_at = $6
                     WHERE purse = $1 AND lane = $2 AND receipt_key = $3 AND branch = $4",
                    &[purse, lane, key, branch, sent.due.into(), now.into()],
                )?;
            }
            Ok(())
        })
    }

    /// Those that the chain does not show as paid yet, on lanes that are there.
    pub(crate) fn open_claims(&self) -> Result<Vec<Sent>> {
        self.db.all(OPEN, &[], sent)
    }

    /// Those that were paid, the newest first, at most so many.
    pub(crate) fn paid_claims(&self, most: u32) -> Result<Vec<Sent>> {
        let sql = "SELECT * FROM claims WHERE paid_at IS NOT NULL ORDER BY id DESC LIMIT $1";
        self.db.all(sql, &[most.into()], sent)
    }

    /// What the last claim cost whose cost is known: this purse's, or else any.
    pub(crate) fn last_cost(&self, purse: &[u8; 32]) -> Result<Option<u64>> {
        let sql = "SELECT cost FROM claims WHERE cost IS NOT NULL ORDER BY purse = $1 DESC, id DESC LIMIT 1";
        self.db.first(sql, &[purse.into()], |row| row.get("cost"))
    }

    /// What all claims cost whose cost is known.
    pub(crate) fn costs(&self) -> Result<u64> {
        let sql = "SELECT CAST(coalesce(sum(cost), 0) AS BIGINT) AS costs FROM claims";
        let costs = self.db.first(sql, &[], |row| row.get("costs"))?;
        Ok(costs.unwrap_or_default())
    }
}

const OPEN: &str = "
    SELECT claims.* FROM claims JOIN lanes USING (purse, lane)
    WHERE paid_at IS NULL AND gone_at IS NULL ORDER BY id";

fn sent(row: &Row) -> Result<Sent> {
    Ok(Sent {
        id: row.get("id")?,
        lane: LaneId {
            purse: row.get("purse")?,
            lane: row.get("lane")?,
        },
        key: (row.get("receipt_key")?, row.get("branch")?),
        paid_before: row.get("paid_before")?,
        due: row.get("due")?,
        lt: row.get("lt")?,
        times: row.get("times")?,
        at: row.get("sent_at")?,
        again_at: row.get("again_at")?,
        paid: row.get("paid")?,
        paid_at: row.get("paid_at")?,
        cost: row.get("cost")?,
    })
}
