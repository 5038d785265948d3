/** In the order in which they are applied. One that was published is never changed: what follows is a new one. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    session_id TEXT,
    owner TEXT,
    created_at INTEGER NOT NULL,
    tail INTEGER NOT NULL DEFAULT 0,
    first INTEGER NOT NULL DEFAULT 1,
    fence INTEGER NOT NULL,
    lease_ends INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    cancelled TEXT,
    outcome TEXT,
    closed_at INTEGER,
    -- The last column, so that reading the others never follows a long one.
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX runs_open ON runs (lease_ends) WHERE closed_at IS NULL;
  CREATE INDEX runs_closed ON runs (closed_at) WHERE closed_at IS NOT NULL;
  CREATE INDEX runs_created ON runs (created_at, run_id);
  CREATE INDEX runs_owned ON runs (owner, created_at, run_id) WHERE owner IS NOT NULL;
  CREATE INDEX runs_readable ON runs (closed_at) WHERE closed_at IS NOT NULL AND first <= tail;

  -- One row for each append: the events up to seq last, as a JSON array.
  CREATE TABLE batches (
    run INTEGER NOT NULL,
    last INTEGER NOT NULL,
    events TEXT NOT NULL,
    PRIMARY KEY (run, last)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    owner TEXT,
    used_at INTEGER NOT NULL,
    claim_run TEXT,
    claim_ends INTEGER,
    messages TEXT NOT NULL
  ) STRICT;
  CREATE INDEX sessions_used ON sessions (used_at);
  CREATE INDEX sessions_owned ON sessions (owner, used_at, session_id) WHERE owner IS NOT NULL;

  CREATE TABLE state (key TEXT PRIMARY KEY, version INTEGER NOT NULL, value TEXT NOT NULL) STRICT;
  CREATE TABLE counters (
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    total REAL NOT NULL,
    PRIMARY KEY (key, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE counted (key TEXT NOT NULL, once TEXT NOT NULL, PRIMARY KEY (key, once)) STRICT, WITHOUT ROWID;
  `,
]
