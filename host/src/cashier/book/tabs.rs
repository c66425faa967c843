//! What is owed, tab by tab.

use chrysalis_chain::purse::Claim;
use chrysalis_settle::{Credential, Statement};

use super::{
    Book, Error, Result,
    sql::{Row, Sql, Value},
};
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
    pub(crate) fn put(&mut self, entries: &[Entry], now: i64) -> Result<usize> {
        self.db.change(|change| {
            let mut without_room = 0_usize;
            for entry in entries {
                if !put(change, entry, now)? {
                    without_room = without_room.saturating_add(1);
                }
            }
            Ok(without_room)
        })
    }

    /// A lane's tabs, or all there are.
    pub(crate) fn tabs(&self, lane: Option<LaneId>) -> Result<Vec<Tab>> {
        match lane {
            None => self.db.all(TABS, &[], tab),
            Some(id) => {
                let sql = format!("{TABS} WHERE purse = $1 AND lane = $2");
                self.db
                    .all(&sql, &[(&id.purse).into(), id.lane.into()], tab)
            }
        }
    }
}

/// Whether there is room for it: nothing is put where a lane has none for another tab.
fn put(change: &mut dyn Sql, entry: &Entry, now: i64) -> Result<bool> {
    let (credential, statement) = (entry.credential.encode(), entry.statement.encode());
    let tab: [Value<'_>; 4] = [
        (&entry.lane.purse).into(),
        entry.lane.lane.into(),
        (&entry.key.0).into(),
        entry.key.1.into(),
    ];
    let [purse, lane, key, branch] = tab;
    let known = "SELECT branch FROM tabs WHERE purse = $1 AND lane = $2 AND receipt_key = $3 AND branch = $4";
    if change.rows(known, &tab)?.is_empty() {
        let count = "SELECT count(*) AS tabs FROM tabs WHERE purse = $1 AND lane = $2";
        let count = change.rows(count, &[purse, lane])?;
        let count: u32 = count.first().map_or(Ok(0), |row| row.get("tabs"))?;
        if count >= MAX_TABS {
            return Ok(false);
        }
    }
    change.run(
        PUT,
        &[
            purse,
            lane,
            key,
            branch,
            entry.credential.cap.into(),
            (&credential).into(),
            entry.statement.amount.into(),
            (&statement).into(),
            (&entry.signature).into(),
            now.into(),
        ],
    )?;
    Ok(true)
}

/// The right sides see the row as it was.
const PUT: &str = "
    INSERT INTO tabs (purse, lane, receipt_key, branch, cap, credential, amount, statement, signature, first_seen, last_seen)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
    ON CONFLICT (purse, lane, receipt_key, branch) DO UPDATE SET
        credential = CASE WHEN excluded.cap > tabs.cap THEN excluded.credential ELSE tabs.credential END,
        cap = CASE WHEN excluded.cap > tabs.cap THEN excluded.cap ELSE tabs.cap END,
        statement = CASE WHEN excluded.amount > tabs.amount THEN excluded.statement ELSE tabs.statement END,
        signature = CASE WHEN excluded.amount > tabs.amount THEN excluded.signature ELSE tabs.signature END,
        amount = CASE WHEN excluded.amount > tabs.amount THEN excluded.amount ELSE tabs.amount END,
        last_seen = CASE WHEN excluded.last_seen > tabs.last_seen THEN excluded.last_seen ELSE tabs.last_seen END";

const TABS: &str = "
    SELECT *, (SELECT max(paid_at) FROM claims WHERE claims.purse = tabs.purse AND claims.lane = tabs.lane
               AND claims.receipt_key = tabs.receipt_key AND claims.branch = tabs.branch AND paid_at IS NOT NULL) AS paid_at
    FROM tabs";

fn tab(row: &Row) -> Result<Tab> {
    let unreadable = |what: &str| Error::Unreadable(format!("a {what} that cannot be read"));
    let bytes: Vec<u8> = row.get("credential")?;
    let credential = Credential::decode(&bytes).map_err(|_| unreadable("cap"))?;
    let bytes: Vec<u8> = row.get("statement")?;
    let statement = Statement::decode(&bytes).map_err(|_| unreadable("receipt"))?;
    let entry = Entry {
        lane: LaneId {
            purse: row.get("purse")?,
            lane: row.get("lane")?,
        },
        key: (row.get("receipt_key")?, row.get("branch")?),
        credential,
        statement,
        signature: row.get("signature")?,
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
