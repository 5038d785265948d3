/** The tables; `SCHEMA` stands for the name of the schema. */
export const tables: string = `CREATE TABLE SCHEMA.runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id text COLLATE "C" NOT NULL UNIQUE,
  session_id text,
  owner text COLLATE "C",
  created_at bigint NOT NULL,
  tail bigint NOT NULL DEFAULT 0,
  emptied boolean NOT NULL DEFAULT false,
  fence bigint NOT NULL DEFAULT 1,
  token text NOT NULL,
  lease_ends bigint NOT NULL,
  bytes bigint NOT NULL,
  cancelled text,
  outcome text,
  closed_at bigint,
  record text NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX runs_open ON SCHEMA.runs (lease_ends) WHERE closed_at IS NULL;
CREATE INDEX runs_closed ON SCHEMA.runs (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX runs_readable ON SCHEMA.runs (closed_at) WHERE closed_at IS NOT NULL AND NOT emptied;
CREATE INDEX runs_created ON SCHEMA.runs (created_at, run_id);
CREATE INDEX runs_owned ON SCHEMA.runs (owner, created_at, run_id) WHERE owner IS NOT NULL;

-- One row for each append: the events up to seq last, as a JSON array.
CREATE TABLE SCHEMA.batches (run bigint, last bigint, events text NOT NULL, PRIMARY KEY (run, last));

CREATE TABLE SCHEMA.sessions (
  session_id text COLLATE "C" PRIMARY KEY,
  version bigint NOT NULL,
  owner text COLLATE "C",
  used_at bigint NOT NULL,
  claim_run text,
  claim_ends bigint,
  token text,
  messages text NOT NULL
);
CREATE INDEX sessions_used ON SCHEMA.sessions (used_at);
CREATE INDEX sessions_owned ON SCHEMA.sessions (owner, used_at, session_id) WHERE owner IS NOT NULL;

CREATE TABLE SCHEMA.state (key text PRIMARY KEY, version bigint NOT NULL, token text NOT NULL, value text NOT NULL);
CREATE TABLE SCHEMA.counters (key text, name text, total double precision NOT NULL, PRIMARY KEY (key, name));
CREATE TABLE SCHEMA.counted (key text, once text, PRIMARY KEY (key, once));
`
