"""Who may spend how much, in nano, in SQLite.

A request reserves the most that it may cost before it is sent, and is settled with what it did cost. Both are one transaction each, so
requests at the same time cannot spend the same nano twice, and a crash loses none: what was reserved stays reserved until `recover`.
"""

import contextlib
import hashlib
import hmac
import secrets
import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY,
    key_sha256 BLOB NOT NULL UNIQUE,
    budget INTEGER NOT NULL,           -- nano, in all
    spent INTEGER NOT NULL DEFAULT 0   -- nano, by settled jobs
) STRICT;
CREATE TABLE IF NOT EXISTS jobs (
    job TEXT PRIMARY KEY,              -- 32 hexadecimal digits: x-chrysalis-job
    user TEXT NOT NULL REFERENCES users (name),
    reserved INTEGER NOT NULL,         -- nano
    charged INTEGER,                   -- nano, null while it runs
    why TEXT,                          -- receipt, refused, no_receipt
    began TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT;
CREATE INDEX IF NOT EXISTS running ON jobs (user) WHERE charged IS NULL;
"""
LEFT = """
SELECT budget - spent - (SELECT coalesce(sum(reserved), 0) FROM jobs WHERE jobs.user = users.name AND charged IS NULL)
FROM users WHERE name = ?
"""


class Refused(Exception):
    """The caller asked for something that cannot be; the message says what."""


class UsedUp(Exception):
    """The budget does not cover the reservation. `left` is in nano."""

    def __init__(self, left: int):
        super().__init__(left)
        self.left = left


class Ledger:
    """The budgets in the database at `path`. Each call opens a connection of its own, so threads may share it."""

    def __init__(self, path: str):
        self.path = path
        with self._transaction() as database:
            for statement in SCHEMA.split(";"):
                database.execute(statement)

    @contextlib.contextmanager
    def _transaction(self):
        database = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            # Takes the write lock before the first read, so nothing changes between the two.
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
        finally:
            database.close()

    def add(self, name: str, budget: int) -> str:
        """Makes a user with a budget in nano. The API key is returned, and is nowhere else: the database has its SHA-256."""
        key = "sk-" + secrets.token_urlsafe(32)
        try:
            with self._transaction() as database:
                row = (name, _digest(key), budget)
                database.execute("INSERT INTO users (name, key_sha256, budget) VALUES (?, ?, ?)", row)
        except sqlite3.IntegrityError as error:
            raise Refused(f"there is a user {name} already; to give it more: user top-up {name} NANO") from error
        return key

    def top_up(self, name: str, nano: int) -> int:
        """Adds to a user's budget. What is left then."""
        with self._transaction() as database:
            if not database.execute("UPDATE users SET budget = budget + ? WHERE name = ?", (nano, name)).rowcount:
                raise Refused(f"there is no user {name}; make one: user add {name} --budget NANO")
            return database.execute(LEFT, (name,)).fetchone()[0]

    def users(self) -> list[tuple[str, int, int, int]]:
        """Name, budget, spent and left of each user."""
        with self._transaction() as database:
            rows = database.execute("SELECT name, budget, spent FROM users ORDER BY name").fetchall()
            return [(*row, database.execute(LEFT, row[:1]).fetchone()[0]) for row in rows]

    def user_of(self, key: str) -> str | None:
        """Whose API key this is."""
        digest = _digest(key)
        with self._transaction() as database:
            row = database.execute("SELECT name, key_sha256 FROM users WHERE key_sha256 = ?", (digest,)).fetchone()
        # The index compares digests of what was sent, which tell nothing of the keys; this one takes the same time for all.
        return row[0] if row and hmac.compare_digest(row[1], digest) else None

    def reserve(self, name: str, most: int) -> str:
        """Sets `most` nano aside for a request of a user. The job's number. UsedUp: less is left."""
        job = secrets.token_hex(16)
        with self._transaction() as database:
            left = database.execute(LEFT, (name,)).fetchone()[0]
            if left < most:
                raise UsedUp(left)
            database.execute("INSERT INTO jobs (job, user, reserved) VALUES (?, ?, ?)", (job, name, most))
        return job

    def settle(self, job: str, nano: int, why: str) -> int:
        """Ends a reservation: its user is charged `nano`, once. What that user has left."""
        with self._transaction() as database:
            (user,) = database.execute("SELECT user FROM jobs WHERE job = ?", (job,)).fetchone()
            settled = database.execute(
                "UPDATE jobs SET charged = ?, why = ? WHERE job = ? AND charged IS NULL", (nano, why, job)
            )
            if settled.rowcount:
                database.execute("UPDATE users SET spent = spent + ? WHERE name = ?", (nano, user))
            return database.execute(LEFT, (user,)).fetchone()[0]

    def running(self) -> list[str]:
        """The jobs that are not settled: those under way, and at the start those that a crash left."""
        with self._transaction() as database:
            return [job for (job,) in database.execute("SELECT job FROM jobs WHERE charged IS NULL")]


def _digest(key: str) -> bytes:
    # Keys are 32 random bytes, so nothing slower is needed.
    return hashlib.sha256(key.encode()).digest()
