PRAGMA user_version = 2;

-- Until when one of several cashiers tends the lane, in Unix seconds.
ALTER TABLE lanes ADD COLUMN tended_until INTEGER NOT NULL DEFAULT 0;

-- Which enclave of a fleet signs with a receipt key.
CREATE TABLE enclaves (
    receipt_key BLOB PRIMARY KEY,
    enclave BLOB NOT NULL
) WITHOUT ROWID;

-- How far an enclave of a fleet may go on a lane, in nano, and until when that is kept for it, in Unix seconds.
CREATE TABLE slices (
    purse BLOB NOT NULL,
    lane INTEGER NOT NULL,
    enclave BLOB NOT NULL,
    ceiling INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (purse, lane, enclave)
) WITHOUT ROWID;
