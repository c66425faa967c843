//! What is owed, tab by tab.

use chrysalis_chain::purse::Claim;
use chrysalis_settle::{Credential, Statement};
use rusqlite::{Row, named_params, types::Type};

use super::{Book, fixed, unreadable};
use crate::cashier::lane::{LaneId, TabKey};

/// The most tabs of one lane. The contract has 1,024 at once; the others' money can no longer be claimed.
const MAX_TABS: u32 = 4096;

/// A cap and a receipt of one tab, both with good signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) lane: LaneId,
    pub(crate) key: TabKey,
    /// The client's cap.
    pub(crate) credential: Credential,
    /// The enclave's receipt.
    pub(crate) statement: Statement,
    /// Ed25519 by the receipt key.
    pub(crate) signature: [u8; 64],
}

/// A tab, with the highest cap and the highest receipt that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tab {
    pub(crate) entry: Entry,
    /// Nano that the contract has paid on it.
    pub(crate) paid: u64,
    /// When it first came, and when anything of it last did.
    pub(crate) first_seen: i64,
    pub(crate) last_seen: i64,
    /// When it was last paid.
    pub(crate) paid_at: Option<i64>,
    /// What was due when the contract last refused a claim, and when that was.
    pub(crate) refused_due: u64,
    pub(crate) refused_at: i64,
}

impl Entry {
    /// Nano that its two signatures prove.
    pub(crate) fn owed(&self) -> u64 {
        self.statement.amount.min(self.credential.cap)
    }

    /// What is shown to the purse.
    pub(crate) fn claim(&self) -> Claim {
        Claim {
            credential: self.credential,
            receipt_key: self.key.0,
            cumulative: self.statement.amount,
            head: self.statement.last,
            signature: self.signature,
        }
    }
}

impl Book {
    /// Keeps the higher cap and the higher receipt of each tab: nothing that came before falls. Tells how many found no room.
    pub(crate) fn put(&mut self, entries: &[Entry], now: i64) -> rusqlite::Result<usize> {
        let change = self.change()?;
        let mut without_room = 0_usize;
        {
            let mut put = change.prepare(PUT)?;
            for entry in entries {
                let changed = put.execute(named_params! {
                    ":purse": entry.lane.purse,
                    ":lane": entry.lane.lane,
                    ":key": entry.key.0,
                    ":branch": entry.key.1,
                    ":cap": stored(entry.credential.cap),
                    ":credential": entry.credential.encode(),
                    ":amount": stored(entry.statement.amount),
                    ":statement": entry.statement.encode(),
                    ":signature": entry.signature,
                    ":now": now,
                    ":most": MAX_TABS,
                })?;
                if changed == 0 {
                    without_room = without_room.saturating_add(1);
                }
            }
        }
        change.commit()?;
        Ok(without_room)
    }

    /// A lane's tabs, or all there are.
    pub(crate) fn tabs(&self, lane: Option<LaneId>) -> rusqlite::Result<Vec<Tab>> {
        let mut statement = self.db.prepare(TABS)?;
        let rows = statement.query_map(
            named_params! {":purse": lane.map(|it| it.purse), ":lane": lane.map(|it| it.lane)},
            tab,
        )?;
        rows.collect()
    }
}

/// A number as the database holds it. No chain has more nano than that.
pub(super) fn stored(nano: u64) -> i64 {
    i64::try_from(nano).unwrap_or(i64::MAX)
}

/// The right sides see the row as it was. Nothing is put where a lane has no room for another tab.
const PUT: &str = "
    INSERT INTO tabs (purse, lane, receipt_key, branch, cap, credential, amount, statement, signature, first_seen, last_seen)
    SELECT :purse, :lane, :key, :branch, :cap, :credential, :amount, :statement, :signature, :now, :now
    WHERE EXISTS (SELECT 1 FROM tabs WHERE purse = :purse AND lane = :lane AND receipt_key = :key AND branch = :branch)
        OR (SELECT count(*) FROM tabs WHERE purse = :purse AND lane = :lane) < :most
    ON CONFLICT DO UPDATE SET
        credential = iif(excluded.cap > cap, excluded.credential, credential),
        cap = max(cap, excluded.cap),
        statement = iif(excluded.amount > amount, excluded.statement, statement),
        signature = iif(excluded.amount > amount, excluded.signature, signature),
        amount = max(amount, excluded.amount),
        last_seen = max(last_seen, excluded.last_seen)";

const TABS: &str = "
    SELECT *, (SELECT max(paid_at) FROM claims WHERE claims.purse = tabs.purse AND claims.lane = tabs.lane
               AND claims.receipt_key = tabs.receipt_key AND claims.branch = tabs.branch AND paid_at IS NOT NULL) AS paid_at
    FROM tabs WHERE (:purse IS NULL OR purse = :purse) AND (:lane IS NULL OR lane = :lane)";

fn tab(row: &Row<'_>) -> rusqlite::Result<Tab> {
    let bytes: Vec<u8> = row.get("credential")?;
    let credential = Credential::decode(&bytes).map_err(|error| unreadable(Type::Blob, error))?;
    let bytes: Vec<u8> = row.get("statement")?;
    let statement = Statement::decode(&bytes).map_err(|error| unreadable(Type::Blob, error))?;
    let entry = Entry {
        lane: LaneId {
            purse: fixed(row, "purse")?,
            lane: row.get("lane")?,
        },
        key: (fixed(row, "receipt_key")?, row.get("branch")?),
        credential,
        statement,
        signature: fixed(row, "signature")?,
    };
    Ok(Tab {
        entry,
        paid: row.get("paid")?,
        first_seen: row.get("first_seen")?,
        last_seen: row.get("last_seen")?,
        paid_at: row.get("paid_at")?,
        refused_due: row.get("refused_due")?,
        refused_at: row.get("refused_at")?,
    })
}
