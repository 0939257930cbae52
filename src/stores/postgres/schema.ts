/**
 * The tables in PostgreSQL, version by version. A version is only ever added to: what it says stays
 * as it is once a release has it. `s` stands before every name: the schema.
 *
 * Of the indexes on jobs only three hold every job (its number, its queue, its id); each other holds
 * those of one state, so that a plain job is entered into two more on its way: where claims look, and
 * what runs. Names are compared byte by byte, as everywhere in Millrace.
 */

import { ballast } from '../sql/ballast.js'
import type { Version } from '../sql/migrating.js'
import { enqueueFunction } from './enqueue-function.js'

/** From 1,000 on no hot statement is planned for a table of one row. */
const BALLAST = 3_000

/** The first first. */
export const VERSIONS: readonly Version[] = [
  {
    compatibleFrom: 1,
    up: (s) => [
      // A call takes a block of numbers: no call needs more, and later calls get later ones.
      `CREATE SEQUENCE ${s}seq_blocks   MINVALUE 1 START 1 INCREMENT 16384`,
      `CREATE SEQUENCE ${s}token_blocks MINVALUE 1 START 1 INCREMENT 16384`,

      // Up to where tokens were ever reserved, durably; and what of it may be given now. A server that
      // comes back from a crash, or takes over, finds the second one empty: the sequence may be behind.
      `CREATE TABLE ${s}token_ceiling (ceiling bigint NOT NULL)`,
      `INSERT INTO ${s}token_ceiling (ceiling) VALUES (0)`,
      `CREATE UNLOGGED TABLE ${s}token_grant (
       one   int2 PRIMARY KEY DEFAULT 1 CHECK (one = 1),
       base  bigint NOT NULL,
       until bigint NOT NULL
     )`,

      `CREATE TABLE ${s}scopes (
       id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       name         text COLLATE "C" NOT NULL UNIQUE,
       paused_since float8,
       paused_by    text
     )`,

      `CREATE TABLE ${s}queues (
       id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       scope        int NOT NULL,
       name         text COLLATE "C" NOT NULL,
       declared     text NOT NULL DEFAULT '{}',
       overrides    text NOT NULL DEFAULT '{}',
       revision     int NOT NULL DEFAULT 0,
       rate_key     text,
       paused_since float8,
       paused_by    text,
       pass         float8 NOT NULL DEFAULT 0,
       transit      text,
       UNIQUE (scope, name)
     )`,

      // Of queues with such a limit: how many wait, counted then. Who comes and goes since is told beside
      // it, so that nobody waits for anybody; with a number: reserved, while that transaction is open.
      `CREATE TABLE ${s}backlogs (
       queue      int PRIMARY KEY,
       waiting    bigint NOT NULL,
       counted_at float8 NOT NULL
     )`,
      `CREATE TABLE ${s}backlog_moves (
       queue int NOT NULL,
       id    bigint GENERATED ALWAYS AS IDENTITY,
       moved int NOT NULL,
       xid   bigint,
       PRIMARY KEY (queue, id)
     )`,

      `CREATE TABLE ${s}paused_groups (
       queue int NOT NULL,
       grp   text COLLATE "C" NOT NULL,
       since float8 NOT NULL,
       by    text NOT NULL,
       PRIMARY KEY (queue, grp)
     )`,

      `CREATE TABLE ${s}lanes (
       id    int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       queue int NOT NULL,
       task  text COLLATE "C" NOT NULL,
       kind  int2 NOT NULL,
       UNIQUE (queue, task, kind)
     )`,

      `CREATE TABLE ${s}jobs (
       seq          bigint PRIMARY KEY,
       queue        int NOT NULL,
       id           text COLLATE "C" NOT NULL,
       state        int2 NOT NULL,
       flags        int2 NOT NULL,
       task         text COLLATE "C" NOT NULL,
       grp          text COLLATE "C" NOT NULL,
       priority     int2 NOT NULL,
       crashes      int2 NOT NULL,
       attempt      int NOT NULL,
       max_attempts bigint,
       place        float8 NOT NULL,
       due          float8 NOT NULL,
       inserted_at  float8 NOT NULL,
       since        float8 NOT NULL,
       token        bigint,
       node         text,
       worker       text,
       claim        int,
       lane         int,
       expires      float8,
       payload      text,
       codec        int2 NOT NULL,
       spec         text,
       extra        text
     )`,
      `CREATE INDEX jobs_list ON ${s}jobs (queue, seq)`,
      // Where claims look.
      `CREATE INDEX jobs_ready ON ${s}jobs (lane, grp, priority DESC, place, seq)
       WHERE state = 1 AND lane IS NOT NULL`,
      `CREATE INDEX jobs_timer ON ${s}jobs (lane, due) WHERE state IN (0, 3)`,
      // What runs, and what failed and holds its group until it runs again.
      `CREATE INDEX jobs_held ON ${s}jobs (queue, grp, state)
       WHERE state < 4 AND (flags & 64) <> 0`,
      `CREATE INDEX jobs_ended ON ${s}jobs (queue, state, since) WHERE state >= 5`,
      // Pages of what ended, newest first.
      `CREATE INDEX jobs_paged ON ${s}jobs (queue, state, seq) WHERE state BETWEEN 5 AND 7`,
      `CREATE INDEX jobs_expiring ON ${s}jobs (expires) WHERE expires IS NOT NULL`,
      `CREATE INDEX jobs_spent ON ${s}jobs (queue) WHERE state = 1 AND lane IS NULL`,
      // The last one: behind a plan that was made for small tables stands a job's own entry, and not all
      // of its queue. Of two that cost the same the server takes the younger.
      `ALTER TABLE ${s}jobs ADD CONSTRAINT jobs_queue_id_key UNIQUE (queue, id)`,

      // What plain claims took, while the rows of its jobs say nothing of it.
      `CREATE TABLE ${s}handfuls (
       first  bigint PRIMARY KEY,
       scope  int NOT NULL,
       queue  int NOT NULL,
       node   text NOT NULL,
       worker text,
       claim  int NOT NULL,
       at     float8 NOT NULL,
       jobs   int NOT NULL,
       held   int NOT NULL,
       seqs   bigint[] NOT NULL
     )`,
      // It lives for milliseconds: to compress it takes longer than to write it as it is.
      `ALTER TABLE ${s}handfuls ALTER COLUMN seqs SET STORAGE EXTERNAL`,
      `CREATE INDEX handfuls_queue ON ${s}handfuls (queue, first)`,
      `CREATE INDEX handfuls_node ON ${s}handfuls (scope, node)`,

      `CREATE TABLE ${s}turns (
       lane     int NOT NULL,
       queue    int NOT NULL,
       grp      text COLLATE "C" NOT NULL,
       priority int2 NOT NULL,
       pass     float8 NOT NULL,
       tie      bigint NOT NULL,
       -- No job of the line that can be taken stands before it: claims begin to look here, and not
       -- among the dead rows of those that were taken.
       floor    float8 NOT NULL,
       closed   int2 NOT NULL DEFAULT 0,
       opens_at float8,
       PRIMARY KEY (lane, grp, priority)
     )`,
      `CREATE INDEX turns_open ON ${s}turns (lane, priority DESC, pass, tie) WHERE closed = 0`,
      `CREATE INDEX turns_closed ON ${s}turns (queue, opens_at) WHERE closed = 1`,
      `CREATE INDEX turns_group ON ${s}turns (queue, grp)`,

      `CREATE TABLE ${s}keys (
       queue   int NOT NULL,
       key     text COLLATE "C" NOT NULL,
       seq     bigint,
       id      text COLLATE "C" NOT NULL,
       until   float8 NOT NULL,
       waiting int2 NOT NULL,
       PRIMARY KEY (queue, key)
     )`,
      `CREATE INDEX keys_job ON ${s}keys (seq) WHERE seq IS NOT NULL`,
      `CREATE INDEX keys_lapsing ON ${s}keys (until) WHERE seq IS NULL`,

      `CREATE TABLE ${s}kin (
       parent bigint NOT NULL,
       child  bigint NOT NULL,
       at     int NOT NULL,
       PRIMARY KEY (parent, child, at)
     )`,
      `CREATE INDEX kin_child ON ${s}kin (child)`,
      // Children that came in a transaction of the user's, until somebody has looked at their parents since.
      `CREATE TABLE ${s}arrivals (
       scope int NOT NULL,
       child bigint NOT NULL,
       PRIMARY KEY (scope, child)
     )`,

      `CREATE TABLE ${s}settled (
       id    int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       scope int NOT NULL,
       at    float8 NOT NULL,
       low   bigint NOT NULL,
       high  bigint NOT NULL,
       body  text NOT NULL
     )`,
      `CREATE INDEX settled_tokens ON ${s}settled (scope, high)`,
      `CREATE INDEX settled_at ON ${s}settled (scope, at)`,

      `CREATE TABLE ${s}grants (
       scope int NOT NULL,
       name  text COLLATE "C" NOT NULL,
       at    float8 NOT NULL,
       n     int NOT NULL,
       until float8 NOT NULL,
       PRIMARY KEY (scope, name, at)
     )`,
      `CREATE INDEX grants_lapsing ON ${s}grants (scope, until)`,

      `CREATE TABLE ${s}throttles (
       scope int NOT NULL,
       name  text COLLATE "C" NOT NULL,
       until float8 NOT NULL,
       PRIMARY KEY (scope, name)
     )`,

      `CREATE TABLE ${s}nodes (
       id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       scope      int NOT NULL,
       node       text COLLATE "C" NOT NULL,
       card       text NOT NULL,
       started_at float8 NOT NULL,
       beats      int NOT NULL,
       last_beat  float8 NOT NULL,
       overdue    text NOT NULL,
       gone       int2 NOT NULL,
       UNIQUE (scope, node)
     )`,

      `CREATE TABLE ${s}schedules (
       queue int NOT NULL,
       name  text COLLATE "C" NOT NULL,
       due   float8,
       body  text NOT NULL,
       PRIMARY KEY (queue, name)
     )`,
      `CREATE INDEX schedules_due ON ${s}schedules (due) WHERE due IS NOT NULL`,

      `CREATE TABLE ${s}retired (
       scope int NOT NULL,
       queue text COLLATE "C" NOT NULL,
       name  text COLLATE "C" NOT NULL,
       until float8 NOT NULL,
       body  text NOT NULL,
       PRIMARY KEY (scope, queue, name)
     )`,

      ...enqueueFunction(s),
      ...ballast(s, BALLAST, { floored: true }),
    ],
    down: (s) => [
      `DROP FUNCTION ${s}refuse (text, text, text)`,
      `DROP FUNCTION ${s}new_id (float8)`,
      `DROP FUNCTION ${s}enqueue (text, jsonb, jsonb)`,
      `DROP FUNCTION ${s}is_whole (jsonb, numeric, numeric)`,
      `DROP FUNCTION ${s}limits_of (text, text)`,
      `DROP TABLE ${s}retired`,
      `DROP TABLE ${s}schedules`,
      `DROP TABLE ${s}nodes`,
      `DROP TABLE ${s}throttles`,
      `DROP TABLE ${s}grants`,
      `DROP TABLE ${s}settled`,
      `DROP TABLE ${s}arrivals`,
      `DROP TABLE ${s}kin`,
      `DROP TABLE ${s}keys`,
      `DROP TABLE ${s}turns`,
      `DROP TABLE ${s}handfuls`,
      `DROP TABLE ${s}jobs`,
      `DROP TABLE ${s}lanes`,
      `DROP TABLE ${s}paused_groups`,
      `DROP TABLE ${s}backlog_moves`,
      `DROP TABLE ${s}backlogs`,
      `DROP TABLE ${s}queues`,
      `DROP TABLE ${s}scopes`,
      `DROP TABLE ${s}token_grant`,
      `DROP TABLE ${s}token_ceiling`,
      `DROP SEQUENCE ${s}token_blocks`,
      `DROP SEQUENCE ${s}seq_blocks`,
    ],
  },
]
