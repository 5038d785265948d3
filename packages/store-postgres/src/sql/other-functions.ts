/** What sessions, state and retention need. */
export const otherFunctions: string = `CREATE FUNCTION SCHEMA.claim_session(
  given_now bigint, session_ms bigint, the_session text, the_run text, ttl_ms bigint, the_owner text,
  OUT status text, OUT version bigint, OUT owner text, OUT messages text, OUT active_run text, OUT expires_at bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE now_ms bigint := SCHEMA.at(given_now); found SCHEMA.sessions;
BEGIN
  INSERT INTO SCHEMA.sessions (session_id, version, used_at, messages) VALUES (the_session, 0, now_ms, '[]')
  ON CONFLICT DO NOTHING;
  SELECT * INTO found FROM SCHEMA.sessions WHERE session_id = the_session FOR UPDATE;
  IF found.used_at <= now_ms - session_ms THEN
    found.version := 0; found.messages := '[]'; found.owner := NULL; found.claim_run := NULL; found.claim_ends := NULL;
  END IF;
  IF found.claim_run <> the_run AND found.claim_ends > now_ms THEN
    status := 'busy'; active_run := found.claim_run; expires_at := found.claim_ends; RETURN;
  END IF;
  status := 'claimed'; version := found.version; messages := found.messages;
  owner := coalesce(found.owner, the_owner);
  UPDATE SCHEMA.sessions SET version = found.version, owner = claim_session.owner, used_at = now_ms,
    claim_run = the_run, claim_ends = now_ms + ttl_ms, messages = found.messages WHERE session_id = the_session;
END $$;

CREATE FUNCTION SCHEMA.release_session(given_now bigint, the_session text, the_run text) RETURNS void
LANGUAGE sql AS $$
  DELETE FROM SCHEMA.sessions WHERE session_id = the_session AND claim_run = the_run AND version = 0;
  UPDATE SCHEMA.sessions SET claim_run = NULL, claim_ends = NULL, used_at = SCHEMA.at(given_now)
  WHERE session_id = the_session AND claim_run = the_run;
$$;

CREATE FUNCTION SCHEMA.commit_session(
  given_now bigint, session_ms bigint, the_session text, the_run text, expected bigint, the_messages text, the_token text,
  OUT status text, OUT version bigint, OUT active_run text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE now_ms bigint := SCHEMA.at(given_now); found SCHEMA.sessions;
BEGIN
  SELECT * INTO found FROM SCHEMA.sessions
  WHERE session_id = the_session AND used_at > now_ms - session_ms FOR UPDATE;
  version := coalesce(found.version, 0);
  IF found.token = the_token THEN status := 'committed';
  ELSIF version <> expected OR found.claim_run IS DISTINCT FROM the_run THEN
    status := 'conflict';
    IF found.claim_run IS DISTINCT FROM the_run THEN active_run := found.claim_run; END IF;
  ELSE
    status := 'committed'; version := expected + 1;
    UPDATE SCHEMA.sessions SET version = expected + 1, used_at = now_ms, token = the_token, messages = the_messages
    WHERE session_id = the_session;
  END IF;
END $$;

CREATE FUNCTION SCHEMA.set_state(the_key text, expected bigint, the_value text, the_token text,
  OUT status text, OUT version bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE found SCHEMA.state;
BEGIN
  IF expected = 0 THEN
    INSERT INTO SCHEMA.state (key, version, token, value) VALUES (the_key, 1, the_token, the_value)
    ON CONFLICT DO NOTHING;
  ELSE
    UPDATE SCHEMA.state SET version = expected + 1, token = the_token, value = the_value
    WHERE key = the_key AND state.version = expected;
  END IF;
  SELECT * INTO found FROM SCHEMA.state WHERE key = the_key;
  version := coalesce(found.version, 0);
  status := CASE WHEN found.token = the_token THEN 'set' ELSE 'conflict' END;
END $$;

CREATE FUNCTION SCHEMA.add_counters(the_key text, names text[], amounts double precision[], the_once text)
RETURNS SETOF SCHEMA.counters LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  IF the_once IS NOT NULL THEN
    INSERT INTO SCHEMA.counted (key, once) VALUES (the_key, the_once) ON CONFLICT DO NOTHING;
  END IF;
  IF the_once IS NULL OR FOUND THEN
    -- In one order, so that two processes never wait for each other.
    INSERT INTO SCHEMA.counters (key, name, total)
    SELECT the_key, name, amount FROM unnest(names, amounts) AS given (name, amount) ORDER BY name
    ON CONFLICT (key, name) DO UPDATE SET total = counters.total + excluded.total;
  END IF;
  RETURN QUERY SELECT * FROM SCHEMA.counters WHERE key = the_key;
END $$;

-- Removes some of what has expired, and returns how many rows that were. Rows that somebody works on are left for later.
CREATE FUNCTION SCHEMA.remove_expired(given_now bigint, events_ms bigint, record_ms bigint, session_ms bigint, rows_limit bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE now_ms bigint := SCHEMA.at(given_now); expired record; removed bigint := 0; gone bigint;
BEGIN
  FOR expired IN
    SELECT * FROM (SELECT id, true AS is_whole FROM SCHEMA.runs
      WHERE closed_at IS NOT NULL AND closed_at <= now_ms - record_ms LIMIT rows_limit FOR UPDATE SKIP LOCKED) AS closed
    UNION ALL SELECT * FROM (SELECT id, true FROM SCHEMA.runs
      WHERE closed_at IS NULL AND lease_ends <= now_ms - record_ms LIMIT rows_limit FOR UPDATE SKIP LOCKED) AS abandoned
    UNION ALL SELECT * FROM (SELECT id, false FROM SCHEMA.runs
      WHERE closed_at IS NOT NULL AND NOT emptied AND closed_at <= now_ms - events_ms
      LIMIT rows_limit FOR UPDATE SKIP LOCKED) AS readable
  LOOP
    DELETE FROM SCHEMA.batches WHERE batches.run = expired.id AND last IN
      (SELECT last FROM SCHEMA.batches WHERE batches.run = expired.id ORDER BY last LIMIT rows_limit - removed);
    GET DIAGNOSTICS gone = ROW_COUNT;
    removed := removed + gone;
    EXIT WHEN removed >= rows_limit;
    IF expired.is_whole THEN DELETE FROM SCHEMA.runs WHERE id = expired.id;
    ELSE UPDATE SCHEMA.runs SET emptied = true WHERE id = expired.id;
    END IF;
    removed := removed + 1;
  END LOOP;
  IF removed < rows_limit THEN
    DELETE FROM SCHEMA.sessions WHERE session_id IN (SELECT session_id FROM SCHEMA.sessions
      WHERE used_at <= now_ms - session_ms LIMIT rows_limit - removed FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT;
    removed := removed + gone;
  END IF;
  RETURN removed;
END $$;
`
