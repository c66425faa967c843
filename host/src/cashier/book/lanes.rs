//! Lanes, as two answers of the chain agreed on them, and what it said of them last.

use chrysalis_chain::purse;

use super::{
    Book, Result,
    sql::{Row, Value},
};
use crate::cashier::lane::LaneId;

/// A lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) id: LaneId,
    /// Ed25519: signs caps. It never changes.
    pub(crate) spend_key: [u8; 32],
    /// Seconds between the beginning of closing and its end. It never changes.
    pub(crate) close_delay: u32,
    /// Nano put into it, as two answers agree.
    pub(crate) locked: u64,
    /// Nano paid out of it.
    pub(crate) paid: u64,
    /// Unix seconds; 0: it is open.
    pub(crate) closes_at: u32,
    /// Since when the chain says that it is not there.
    pub(crate) gone_at: Option<i64>,
    /// When the chain was last asked.
    pub(crate) checked_at: i64,
}

impl Lane {
    /// Whether the chain may say this of it: what never changes is as it was.
    pub(crate) fn can_be(&self, seen: &purse::Lane) -> bool {
        (self.spend_key, self.close_delay) == (seen.spend_key, seen.close_delay)
    }
}

impl Book {
    /// The lane, if it is known.
    pub(crate) fn lane(&self, id: LaneId) -> Result<Option<Lane>> {
        let sql = "SELECT * FROM lanes WHERE purse = $1 AND lane = $2";
        self.db
            .first(sql, &[(&id.purse).into(), id.lane.into()], lane)
    }

    /// All of them, by their purses.
    pub(crate) fn lanes(&self) -> Result<Vec<Lane>> {
        self.db
            .all("SELECT * FROM lanes ORDER BY purse, lane", &[], lane)
    }

    /// A lane on which two answers agree. What is known already stays.
    pub(crate) fn add_lane(&mut self, lane: &Lane) -> Result<()> {
        self.db.run(
            "INSERT INTO lanes (purse, lane, spend_key, close_delay, locked, paid, closes_at, gone_at, checked_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (purse, lane) DO NOTHING",
            &[
                (&lane.id.purse).into(),
                lane.id.lane.into(),
                (&lane.spend_key).into(),
                lane.close_delay.into(),
                lane.locked.into(),
                lane.paid.into(),
                lane.closes_at.into(),
                lane.gone_at.into(),
                lane.checked_at.into(),
            ],
        )?;
        Ok(())
    }

    /// More was locked, as two answers agree.
    pub(crate) fn raise(&mut self, id: LaneId, locked: u64) -> Result<()> {
        self.db.run(
            "UPDATE lanes SET locked = $3 WHERE purse = $1 AND lane = $2 AND locked < $3",
            &[(&id.purse).into(), id.lane.into(), locked.into()],
        )?;
        Ok(())
    }

    /// Takes a lane to tend it until then, unless another cashier has it. A cashier that is gone has it no longer than it said.
    pub(crate) fn take(&mut self, id: LaneId, now: i64, until: i64) -> Result<bool> {
        self.db.change(|change| {
            let sql = format!(
                "SELECT lane FROM lanes WHERE purse = $1 AND lane = $2 AND tended_until <= $3{}",
                change.skip_locked()
            );
            let free = change.rows(&sql, &[(&id.purse).into(), id.lane.into(), now.into()])?;
            if free.is_empty() {
                return Ok(false);
            }
            let sql = "UPDATE lanes SET tended_until = $3 WHERE purse = $1 AND lane = $2";
            change.run(sql, &[(&id.purse).into(), id.lane.into(), until.into()])?;
            Ok(true)
        })
    }

    /// What the chain says of a lane now, and of its tabs: the newest answer counts, because one before it may have been a lie.
    pub(crate) fn seen(&mut self, id: LaneId, seen: Option<&purse::Lane>, now: i64) -> Result<()> {
        let this: [Value<'_>; 2] = [(&id.purse).into(), id.lane.into()];
        let [purse, lane] = this;
        self.db.change(|change| {
            let Some(seen) = seen else {
                change.run(
                    "UPDATE lanes SET gone_at = coalesce(gone_at, $3), checked_at = $3 WHERE purse = $1 AND lane = $2",
                    &[purse, lane, now.into()],
                )?;
                return Ok(());
            };
            change.run(
                "UPDATE lanes SET paid = $3, closes_at = $4, gone_at = NULL, checked_at = $5 WHERE purse = $1 AND lane = $2",
                &[purse, lane, seen.paid.into(), seen.closes_at.into(), now.into()],
            )?;
            change.run("UPDATE tabs SET paid = 0 WHERE purse = $1 AND lane = $2", &this)?;
            for ((key, branch), paid) in &seen.tabs {
                change.run(
                    "UPDATE tabs SET paid = $5 WHERE purse = $1 AND lane = $2 AND receipt_key = $3 AND branch = $4",
                    &[purse, lane, key.into(), (*branch).into(), (*paid).into()],
                )?;
            }
            Ok(())
        })
    }
}

fn lane(row: &Row) -> Result<Lane> {
    Ok(Lane {
        id: LaneId {
            purse: row.get("purse")?,
            lane: row.get("lane")?,
        },
        spend_key: row.get("spend_key")?,
        close_delay: row.get("close_delay")?,
        locked: row.get("locked")?,
        paid: row.get("paid")?,
        closes_at: row.get("closes_at")?,
        gone_at: row.get("gone_at")?,
        checked_at: row.get("checked_at")?,
    })
}
