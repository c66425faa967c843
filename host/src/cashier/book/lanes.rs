//! Lanes, as two answers of the chain agreed on them, and what it said of them last.

use chrysalis_chain::purse;
use rusqlite::{OptionalExtension, Row, named_params, params};

use super::{Book, fixed, tabs::stored};
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
    pub(crate) fn lane(&self, id: LaneId) -> rusqlite::Result<Option<Lane>> {
        let mut statement = self
            .db
            .prepare("SELECT * FROM lanes WHERE purse = ?1 AND lane = ?2")?;
        statement
            .query_row(params![id.purse, id.lane], lane)
            .optional()
    }

    /// All of them, by their purses.
    pub(crate) fn lanes(&self) -> rusqlite::Result<Vec<Lane>> {
        let mut statement = self
            .db
            .prepare("SELECT * FROM lanes ORDER BY purse, lane")?;
        statement.query_map([], lane)?.collect()
    }

    /// A lane on which two answers agree. What is known already stays.
    pub(crate) fn add_lane(&mut self, lane: &Lane) -> rusqlite::Result<()> {
        self.db.execute(
            "INSERT INTO lanes (purse, lane, spend_key, close_delay, locked, paid, closes_at, gone_at, checked_at)
             VALUES (:purse, :lane, :spend_key, :close_delay, :locked, :paid, :closes_at, :gone_at, :checked_at)
             ON CONFLICT DO NOTHING",
            named_params! {
                ":purse": lane.id.purse,
                ":lane": lane.id.lane,
                ":spend_key": lane.spend_key,
                ":close_delay": lane.close_delay,
                ":locked": stored(lane.locked),
                ":paid": stored(lane.paid),
                ":closes_at": lane.closes_at,
                ":gone_at": lane.gone_at,
                ":checked_at": lane.checked_at,
            },
        )?;
        Ok(())
    }

    /// More was locked, as two answers agree.
    pub(crate) fn raise(&mut self, id: LaneId, locked: u64) -> rusqlite::Result<()> {
        self.db.execute(
            "UPDATE lanes SET locked = max(locked, ?3) WHERE purse = ?1 AND lane = ?2",
            params![id.purse, id.lane, stored(locked)],
        )?;
        Ok(())
    }

    /// What the chain says of a lane now, and of its tabs: the newest answer counts, because one before it may have been a lie.
    pub(crate) fn seen(
        &mut self,
        id: LaneId,
        seen: Option<&purse::Lane>,
        now: i64,
    ) -> rusqlite::Result<()> {
        let change = self.change()?;
        let Some(seen) = seen else {
            change.execute(
                "UPDATE lanes SET gone_at = ifnull(gone_at, ?3), checked_at = ?3 WHERE purse = ?1 AND lane = ?2",
                params![id.purse, id.lane, now],
            )?;
            return change.commit();
        };
        change.execute(
            "UPDATE lanes SET paid = ?3, closes_at = ?4, gone_at = NULL, checked_at = ?5 WHERE purse = ?1 AND lane = ?2",
            params![id.purse, id.lane, stored(seen.paid), seen.closes_at, now],
        )?;
        change.execute(
            "UPDATE tabs SET paid = 0 WHERE purse = ?1 AND lane = ?2",
            params![id.purse, id.lane],
        )?;
        {
            let mut tab = change.prepare(
                "UPDATE tabs SET paid = ?5 WHERE purse = ?1 AND lane = ?2 AND receipt_key = ?3 AND branch = ?4",
            )?;
            for ((key, branch), paid) in &seen.tabs {
                tab.execute(params![id.purse, id.lane, key, branch, stored(*paid)])?;
            }
        }
        change.commit()
    }
}

fn lane(row: &Row<'_>) -> rusqlite::Result<Lane> {
    Ok(Lane {
        id: LaneId {
            purse: fixed(row, "purse")?,
            lane: row.get("lane")?,
        },
        spend_key: fixed(row, "spend_key")?,
        close_delay: row.get("close_delay")?,
        locked: row.get("locked")?,
        paid: row.get("paid")?,
        closes_at: row.get("closes_at")?,
        gone_at: row.get("gone_at")?,
        checked_at: row.get("checked_at")?,
    })
}
