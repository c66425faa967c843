-- As tables.sql has it, where each table says what it is for.
CREATE TABLE cashier_version (version BIGINT NOT NULL);
INSERT INTO cashier_version VALUES (1);

CREATE TABLE owner (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    payee TEXT NOT NULL,
    network BIGINT
);

CREATE TABLE lanes (
    purse BYTEA NOT NULL,
    lane BIGINT NOT NULL,
    spend_key BYTEA NOT NULL,
    close_delay BIGINT NOT NULL,
    locked BIGINT NOT NULL,
    paid BIGINT NOT NULL,
    closes_at BIGINT NOT NULL,
    gone_at BIGINT,
    checked_at BIGINT NOT NULL,
    tended_until BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (purse, lane)
);

CREATE TABLE tabs (
    purse BYTEA NOT NULL,
    lane BIGINT NOT NULL,
    receipt_key BYTEA NOT NULL,
    branch BIGINT NOT NULL,
    cap BIGINT NOT NULL,
    credential BYTEA NOT NULL,
    amount BIGINT NOT NULL,
    statement BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    paid BIGINT NOT NULL DEFAULT 0,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    refused_due BIGINT NOT NULL DEFAULT 0,
    refused_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (purse, lane, receipt_key, branch)
);

CREATE TABLE claims (
    id BIGSERIAL PRIMARY KEY,
    purse BYTEA NOT NULL,
    lane BIGINT NOT NULL,
    receipt_key BYTEA NOT NULL,
    branch BIGINT NOT NULL,
    paid_before BIGINT NOT NULL,
    due BIGINT NOT NULL,
    lt BIGINT NOT NULL,
    times BIGINT NOT NULL DEFAULT 0,
    sent_at BIGINT NOT NULL,
    again_at BIGINT NOT NULL,
    paid BIGINT,
    paid_at BIGINT,
    cost BIGINT
);
CREATE UNIQUE INDEX open_claims ON claims (purse, lane, receipt_key, branch) WHERE paid_at IS NULL;
CREATE INDEX paid_claims ON claims (purse, paid_at) WHERE paid_at IS NOT NULL;

CREATE TABLE reports (
    id BIGSERIAL PRIMARY KEY,
    digest BYTEA NOT NULL UNIQUE,
    report BYTEA NOT NULL,
    seen_at BIGINT NOT NULL
);

CREATE TABLE enclaves (
    receipt_key BYTEA PRIMARY KEY,
    enclave BYTEA NOT NULL
);

CREATE TABLE slices (
    purse BYTEA NOT NULL,
    lane BIGINT NOT NULL,
    enclave BYTEA NOT NULL,
    ceiling BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (purse, lane, enclave)
);
