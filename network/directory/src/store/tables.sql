CREATE TABLE about (name TEXT PRIMARY KEY, value BLOB NOT NULL);

-- One row for each provider; `bytes` is empty once it was withdrawn. Kept past its end, so that nothing older comes back.
CREATE TABLE listings (
    id BLOB PRIMARY KEY,
    weights BLOB NOT NULL,
    receipt_key BLOB NOT NULL,
    chip BLOB NOT NULL,
    evidence BLOB NOT NULL,
    seq BLOB NOT NULL,
    until INTEGER NOT NULL,
    bytes BLOB NOT NULL
);
CREATE INDEX listings_of_class ON listings (weights, until);
CREATE INDEX listings_on_chip ON listings (chip, until);
CREATE INDEX listings_of_key ON listings (receipt_key, weights, until);

CREATE TABLE evidence (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    bytes BLOB NOT NULL
);

CREATE TABLE reports (
    receipt_key BLOB NOT NULL,
    weights BLOB NOT NULL,
    epoch BLOB NOT NULL,
    minute INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (receipt_key, weights, epoch)
);
CREATE INDEX reports_of_minute ON reports (minute);
CREATE INDEX reports_of_class ON reports (weights, minute);

CREATE TABLE cuts (
    weights BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    at INTEGER NOT NULL,
    whole BLOB NOT NULL,
    delta BLOB NOT NULL,
    PRIMARY KEY (weights, epoch)
);

CREATE TABLE entries (number INTEGER PRIMARY KEY, entry TEXT NOT NULL);
CREATE TABLE heads (size INTEGER PRIMARY KEY, note TEXT NOT NULL);
PRAGMA user_version = 1;
