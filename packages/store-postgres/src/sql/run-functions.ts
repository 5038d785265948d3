/** What runs need. Times are milliseconds since the epoch; a time that is null is that of the server. */
export const runFunctions: string = `CREATE FUNCTION SCHEMA.at(given bigint) RETURNS bigint LANGUAGE sql AS $$
  SELECT coalesce(given, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)
$$;

CREATE FUNCTION SCHEMA.remove_run(the_id bigint) RETURNS void LANGUAGE sql AS $$
  DELETE FROM SCHEMA.batches WHERE run = the_id;
  DELETE FROM SCHEMA.runs WHERE id = the_id;
$$;

-- The row, locked, unless it has expired: what is due for removal counts as removed.
CREATE FUNCTION SCHEMA.locked_run(the_run text, now_ms bigint, record_ms bigint) RETURNS SCHEMA.runs LANGUAGE sql AS $$
  SELECT * FROM SCHEMA.runs
  WHERE run_id = the_run AND coalesce(closed_at, lease_ends) > now_ms - record_ms FOR UPDATE
$$;

CREATE FUNCTION SCHEMA.create_run(
  given_now bigint, record_ms bigint, the_run text, the_session text, the_owner text, the_created bigint,
  lease_ms bigint, the_bytes bigint, the_token text, the_record text,
  OUT status text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE now_ms bigint := SCHEMA.at(given_now); found SCHEMA.runs;
BEGIN
  SELECT * INTO found FROM SCHEMA.runs WHERE run_id = the_run FOR UPDATE;
  IF found.id IS NOT NULL AND coalesce(found.closed_at, found.lease_ends) <= now_ms - record_ms THEN
    PERFORM SCHEMA.remove_run(found.id);
  END IF;
  INSERT INTO SCHEMA.runs (run_id, session_id, owner, created_at, lease_ends, bytes, token, record)
  VALUES (the_run, the_session, the_owner, the_created, now_ms + lease_ms, the_bytes, the_token, the_record)
  ON CONFLICT (run_id) DO NOTHING;
  -- A token that is there already is that of the same call, whose answer was lost.
  SELECT CASE WHEN token = the_token THEN 'acquired' ELSE 'exists' END INTO status
  FROM SCHEMA.runs WHERE run_id = the_run;
END $$;

CREATE FUNCTION SCHEMA.acquire_run(
  given_now bigint, record_ms bigint, the_run text, lease_ms bigint, the_token text,
  OUT status text, OUT fence bigint, OUT tail bigint, OUT cancelled text, OUT expires_at bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE now_ms bigint := SCHEMA.at(given_now); found SCHEMA.runs := SCHEMA.locked_run(the_run, now_ms, record_ms);
BEGIN
  IF found.id IS NULL THEN status := 'not_found';
  ELSIF found.closed_at IS NOT NULL THEN status := 'closed';
  ELSIF found.lease_ends > now_ms AND found.token <> the_token THEN status := 'held'; expires_at := found.lease_ends;
  ELSE
    status := 'acquired'; tail := found.tail; cancelled := found.cancelled;
    fence := CASE WHEN found.token = the_token THEN found.fence ELSE found.fence + 1 END;
    UPDATE SCHEMA.runs SET fence = acquire_run.fence, token = the_token, lease_ends = now_ms + lease_ms WHERE id = found.id;
  END IF;
END $$;

CREATE FUNCTION SCHEMA.renew_run(
  given_now bigint, record_ms bigint, the_run text, the_fence bigint, lease_ms bigint,
  OUT status text, OUT cancelled text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE now_ms bigint := SCHEMA.at(given_now); found SCHEMA.runs := SCHEMA.locked_run(the_run, now_ms, record_ms);
BEGIN
  IF found.id IS NULL THEN status := 'not_found';
  ELSIF found.closed_at IS NOT NULL THEN status := 'closed';
  ELSIF found.fence <> the_fence THEN status := 'fenced';
  ELSE
    status := 'renewed'; cancelled := found.cancelled;
    UPDATE SCHEMA.runs SET lease_ends = now_ms + lease_ms WHERE id = found.id;
  END IF;
END $$;

-- 'overlap': some of the events are stored, and the caller has to leave them out.
CREATE FUNCTION SCHEMA.append_events(
  given_now bigint, record_ms bigint, the_run text, the_fence bigint, the_first bigint, the_last bigint, the_events text,
  the_bytes bigint, bytes_limit bigint, the_outcome text, is_repeated boolean,
  OUT status text, OUT tail bigint, OUT cancelled text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE now_ms bigint := SCHEMA.at(given_now); found SCHEMA.runs := SCHEMA.locked_run(the_run, now_ms, record_ms);
BEGIN
  tail := found.tail; cancelled := found.cancelled;
  IF found.id IS NULL THEN status := 'not_found';
  ELSIF found.closed_at IS NOT NULL THEN
    -- A call whose answer was lost is answered as it was the first time.
    status := CASE WHEN is_repeated AND found.fence = the_fence AND found.outcome = the_outcome AND the_last <= found.tail
      THEN 'appended' ELSE 'closed' END;
  ELSIF found.fence <> the_fence THEN status := 'fenced';
  ELSIF the_first > found.tail + 1 THEN status := 'gap';
  ELSIF the_first <= found.tail AND the_last > found.tail THEN status := 'overlap';
  ELSE
    status := 'appended';
    IF the_last > found.tail THEN
      IF found.bytes + the_bytes > bytes_limit THEN status := 'too_large'; RETURN; END IF;
      INSERT INTO SCHEMA.batches (run, last, events) VALUES (found.id, the_last, the_events);
      tail := the_last;
      UPDATE SCHEMA.runs SET tail = the_last, bytes = found.bytes + the_bytes WHERE id = found.id;
    END IF;
    IF the_outcome IS NOT NULL THEN
      UPDATE SCHEMA.runs SET outcome = the_outcome, closed_at = now_ms WHERE id = found.id;
    END IF;
  END IF;
END $$;

CREATE FUNCTION SCHEMA.cancel_run(given_now bigint, record_ms bigint, the_run text, reason text, OUT is_open boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE found SCHEMA.runs := SCHEMA.locked_run(the_run, SCHEMA.at(given_now), record_ms);
BEGIN
  is_open := found.id IS NOT NULL AND found.closed_at IS NULL;
  IF is_open AND found.cancelled IS NULL THEN
    UPDATE SCHEMA.runs SET cancelled = reason WHERE id = found.id;
  END IF;
END $$;
`
