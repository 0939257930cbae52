-- Roles for Millrace on PostgreSQL, with no more rights than each needs. Run it once as the owner of
-- the schema `millrace`, after the tables were made (open a Millrace once as that owner, or let it be
-- done when you deploy). Grant the roles to the users that your services log in with. A newer version
-- of Millrace that brings new tables wants this file run again; only the owner can bring them.

DO $$
BEGIN
  IF to_regrole('millrace_producer') IS NULL THEN CREATE ROLE millrace_producer NOLOGIN; END IF;
  IF to_regrole('millrace_worker')   IS NULL THEN CREATE ROLE millrace_worker   NOLOGIN; END IF;
  IF to_regrole('millrace_operator') IS NULL THEN CREATE ROLE millrace_operator NOLOGIN; END IF;
END $$;

GRANT USAGE ON SCHEMA millrace TO millrace_producer, millrace_worker, millrace_operator;

-- ── A producer enqueues: in SQL, or plainly by `enqueue` ────────────────────────────────────────────
-- It reads no payload, claims nothing and changes no job. What it cannot do under this role: unique
-- keys, `after`, declarations, and queues with a limited backlog, which look at rows as a whole. It is for services
-- that are trusted not to do harm: by hand, it could set a floor above all jobs or rename a scope, and nobody
-- would find them any more. Who shall not be able to gets EXECUTE on a function of yours that calls
-- millrace.enqueue with SECURITY DEFINER, and nothing else.
GRANT EXECUTE ON FUNCTION millrace.enqueue(text, jsonb, jsonb) TO millrace_producer;
GRANT SELECT ON millrace.versions, millrace.scopes, millrace.queues, millrace.lanes TO millrace_producer;
GRANT INSERT (name), UPDATE (name) ON millrace.scopes TO millrace_producer;
GRANT INSERT (scope, name) ON millrace.queues TO millrace_producer;
GRANT INSERT (queue, task, kind), UPDATE (kind) ON millrace.lanes TO millrace_producer;
GRANT INSERT ON millrace.jobs, millrace.turns TO millrace_producer;
-- Where claims begin to look, when a job comes that stands before that.
GRANT SELECT (lane, grp, priority, floor), UPDATE (floor) ON millrace.turns TO millrace_producer;
-- What an id that is taken stands for: `extra` says whether its job was deleted. It also has the
-- errors and the result of a job that ended; payloads are in a column of their own.
GRANT SELECT (seq, queue, id, state, grp, extra) ON millrace.jobs TO millrace_producer;
GRANT USAGE ON SEQUENCE millrace.seq_blocks TO millrace_producer;

-- ── A worker does all that a Millrace does, but owns no table ───────────────────────────────────────
GRANT SELECT ON millrace.versions TO millrace_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON
  millrace.scopes, millrace.queues, millrace.backlogs, millrace.backlog_moves,
  millrace.paused_groups, millrace.lanes, millrace.jobs,
  millrace.turns, millrace.handfuls, millrace.keys, millrace.kin, millrace.arrivals, millrace.settled,
  millrace.grants,
  millrace.throttles, millrace.nodes, millrace.schedules, millrace.retired,
  millrace.token_ceiling, millrace.token_grant
  TO millrace_worker;
GRANT USAGE ON SEQUENCE millrace.seq_blocks, millrace.token_blocks TO millrace_worker;
GRANT EXECUTE ON FUNCTION millrace.enqueue(text, jsonb, jsonb) TO millrace_worker;

-- ── An operator looks at everything and decides; the same rights, told apart in the server's logs ───
GRANT millrace_worker TO millrace_operator;
