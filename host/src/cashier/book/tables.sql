CREATE TABLE owner (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    payee TEXT NOT NULL,
    network INTEGER
);

-- Lanes on which two answers of the chain agreed. Amounts are in nano, times in Unix seconds.
CREATE TABLE lanes (
    purse BLOB NOT NULL,
    lane INTEGER NOT NULL,
    spend_key BLOB NOT NULL,
    close_delay INTEGER NOT NULL,
    locked INTEGER NOT NULL,
    paid INTEGER NOT NULL,
    closes_at INTEGER NOT NULL,
    gone_at INTEGER,
    checked_at INTEGER NOT NULL,
    PRIMARY KEY (purse, lane)
) WITHOUT ROWID;

-- The highest cap and the highest receipt of each tab, and what the contract has paid on it.
CREATE TABLE tabs (
    purse BLOB NOT NULL,
    lane INTEGER NOT NULL,
    receipt_key BLOB NOT NULL,
    branch INTEGER NOT NULL,
    cap INTEGER NOT NULL,
    credential BLOB NOT NULL,
    amount INTEGER NOT NULL,
    statement BLOB NOT NULL,
    signature BLOB NOT NULL,
    paid INTEGER NOT NULL DEFAULT 0,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    refused_due INTEGER NOT NULL DEFAULT 0,
    refused_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (purse, lane, receipt_key, branch)
) WITHOUT ROWID;

-- A claim is open until the chain shows it as paid: a tab has one at most.
CREATE TABLE claims (
    id INTEGER PRIMARY KEY,
    purse BLOB NOT NULL,
    lane INTEGER NOT NULL,
    receipt_key BLOB NOT NULL,
    branch INTEGER NOT NULL,
    paid_before INTEGER NOT NULL,
    due INTEGER NOT NULL,
    lt INTEGER NOT NULL,
    times INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER NOT NULL,
    again_at INTEGER NOT NULL,
    paid INTEGER,
    paid_at INTEGER,
    cost INTEGER
);
CREATE UNIQUE INDEX open_claims ON claims (purse, lane, receipt_key, branch) WHERE paid_at IS NULL;
CREATE INDEX paid_claims ON claims (purse, paid_at) WHERE paid_at IS NOT NULL;

-- Signed price reports, the newest only.
CREATE TABLE reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    report BLOB NOT NULL,
    seen_at INTEGER NOT NULL
);
