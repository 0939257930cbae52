/**
 * The tables in SQLite, version by version. A version is only ever added to: what it says stays as
 * it is once a release has it. `t` stands before every name, so that the tables can lie among a
 * user's own.
 *
 * Of the indexes on jobs only three hold every job (its number, its queue, its id); each other holds
 * those of one state, so that a plain job is entered into two more on its way: where claims look, and
 * what runs.
 */

import { ballast } from '../sql/ballast.js'
import type { Version } from '../sql/migrating.js'

/** From 100 on no hot statement is planned for a table of one row. */
const BALLAST = 300

/** The first first. */
export const VERSIONS: readonly Version[] = [
  {
    compatibleFrom: 1,
    up: (t) => [
      `CREATE TABLE ${t}counters (
       name  TEXT    PRIMARY KEY,
       value INTEGER NOT NULL
     ) WITHOUT ROWID`,
      `INSERT INTO ${t}counters (name, value) VALUES ('seq', 0), ('token', 0)`,

      `CREATE TABLE ${t}scopes (
       id           INTEGER PRIMARY KEY,
       name         TEXT    NOT NULL UNIQUE,
       paused_since REAL,
       paused_by    TEXT
     )`,

      `CREATE TABLE ${t}queues (
       id           INTEGER PRIMARY KEY,
       scope        INTEGER NOT NULL,
       name         TEXT    NOT NULL,
       declared     TEXT    NOT NULL DEFAULT '{}',
       overrides    TEXT    NOT NULL DEFAULT '{}',
       revision     INTEGER NOT NULL DEFAULT 0,
       rate_key     TEXT,
       paused_since REAL,
       paused_by    TEXT,
       pass         REAL    NOT NULL DEFAULT 0,
       transit      TEXT,
       UNIQUE (scope, name)
     )`,

      // Of queues with such a limit: how many wait, counted then and told since.
      `CREATE TABLE ${t}backlogs (
       queue      INTEGER PRIMARY KEY,
       waiting    INTEGER NOT NULL,
       counted_at REAL    NOT NULL
     )`,

      `CREATE TABLE ${t}paused_groups (
       queue INTEGER NOT NULL,
       grp   TEXT    NOT NULL,
       since REAL    NOT NULL,
       by    TEXT    NOT NULL,
       PRIMARY KEY (queue, grp)
     ) WITHOUT ROWID`,

      `CREATE TABLE ${t}lanes (
       id    INTEGER PRIMARY KEY,
       queue INTEGER NOT NULL,
       task  TEXT    NOT NULL,
       kind  INTEGER NOT NULL,
       UNIQUE (queue, task, kind)
     )`,

      `CREATE TABLE ${t}jobs (
       seq          INTEGER PRIMARY KEY,
       queue        INTEGER NOT NULL,
       id           TEXT    NOT NULL,
       state        INTEGER NOT NULL,
       flags        INTEGER NOT NULL,
       task         TEXT    NOT NULL,
       grp          TEXT    NOT NULL,
       priority     INTEGER NOT NULL,
       crashes      INTEGER NOT NULL,
       attempt      INTEGER NOT NULL,
       max_attempts INTEGER,
       place        REAL    NOT NULL,
       due          REAL    NOT NULL,
       inserted_at  REAL    NOT NULL,
       since        REAL    NOT NULL,
       token        INTEGER,
       node         TEXT,
       worker       TEXT,
       claim        INTEGER,
       lane         INTEGER,
       expires      REAL,
       payload      TEXT,
       codec        INTEGER NOT NULL,
       spec         TEXT,
       extra        TEXT,
       UNIQUE (queue, id)
     )`,
      // Its rows are in the order of their numbers, newest last.
      `CREATE INDEX ${t}jobs_list ON ${t}jobs (queue)`,
      // Where claims look.
      `CREATE INDEX ${t}jobs_ready ON ${t}jobs (lane, grp, priority DESC, place, seq)
       WHERE state = 1 AND lane IS NOT NULL`,
      `CREATE INDEX ${t}jobs_timer ON ${t}jobs (lane, due) WHERE state IN (0, 3)`,
      // What runs, and what failed and holds its group until it runs again.
      `CREATE INDEX ${t}jobs_held ON ${t}jobs (queue, grp, state)
       WHERE state < 4 AND (flags & 64) <> 0`,
      `CREATE INDEX ${t}jobs_ended ON ${t}jobs (queue, state, since) WHERE state >= 5`,
      // Pages of what ended, newest first: its number is the last column of every index.
      `CREATE INDEX ${t}jobs_paged ON ${t}jobs (queue, state) WHERE state BETWEEN 5 AND 7`,
      `CREATE INDEX ${t}jobs_expiring ON ${t}jobs (expires) WHERE expires IS NOT NULL`,
      `CREATE INDEX ${t}jobs_spent ON ${t}jobs (queue) WHERE state = 1 AND lane IS NULL`,

      `CREATE TABLE ${t}turns (
       lane     INTEGER NOT NULL,
       queue    INTEGER NOT NULL,
       grp      TEXT    NOT NULL,
       priority INTEGER NOT NULL,
       pass     REAL    NOT NULL,
       tie      INTEGER NOT NULL,
       closed   INTEGER NOT NULL DEFAULT 0,
       opens_at REAL,
       PRIMARY KEY (lane, grp, priority)
     ) WITHOUT ROWID`,
      `CREATE INDEX ${t}turns_open ON ${t}turns (lane, priority DESC, pass, tie) WHERE closed = 0`,
      `CREATE INDEX ${t}turns_closed ON ${t}turns (queue, opens_at) WHERE closed = 1`,
      `CREATE INDEX ${t}turns_group ON ${t}turns (queue, grp)`,

      `CREATE TABLE ${t}keys (
       queue   INTEGER NOT NULL,
       key     TEXT    NOT NULL,
       seq     INTEGER,
       id      TEXT    NOT NULL,
       until   REAL    NOT NULL,
       waiting INTEGER NOT NULL,
       PRIMARY KEY (queue, key)
     ) WITHOUT ROWID`,
      `CREATE INDEX ${t}keys_job ON ${t}keys (seq) WHERE seq IS NOT NULL`,
      `CREATE INDEX ${t}keys_lapsing ON ${t}keys (until) WHERE seq IS NULL`,

      `CREATE TABLE ${t}kin (
       parent INTEGER NOT NULL,
       child  INTEGER NOT NULL,
       at     INTEGER NOT NULL,
       PRIMARY KEY (parent, child, at)
     ) WITHOUT ROWID`,
      `CREATE INDEX ${t}kin_child ON ${t}kin (child)`,

      `CREATE TABLE ${t}settled (
       id    INTEGER PRIMARY KEY,
       scope INTEGER NOT NULL,
       at    REAL    NOT NULL,
       low   INTEGER NOT NULL,
       high  INTEGER NOT NULL,
       body  TEXT    NOT NULL
     )`,
      `CREATE INDEX ${t}settled_tokens ON ${t}settled (scope, high)`,
      `CREATE INDEX ${t}settled_at ON ${t}settled (scope, at)`,

      `CREATE TABLE ${t}grants (
       scope INTEGER NOT NULL,
       name  TEXT    NOT NULL,
       at    REAL    NOT NULL,
       n     INTEGER NOT NULL,
       until REAL    NOT NULL,
       PRIMARY KEY (scope, name, at)
     ) WITHOUT ROWID`,
      `CREATE INDEX ${t}grants_lapsing ON ${t}grants (scope, until)`,

      `CREATE TABLE ${t}throttles (
       scope INTEGER NOT NULL,
       name  TEXT    NOT NULL,
       until REAL    NOT NULL,
       PRIMARY KEY (scope, name)
     ) WITHOUT ROWID`,

      `CREATE TABLE ${t}nodes (
       id         INTEGER PRIMARY KEY,
       scope      INTEGER NOT NULL,
       node       TEXT    NOT NULL,
       card       TEXT    NOT NULL,
       started_at REAL    NOT NULL,
       beats      INTEGER NOT NULL,
       last_beat  REAL    NOT NULL,
       overdue    TEXT    NOT NULL,
       gone       INTEGER NOT NULL,
       UNIQUE (scope, node)
     )`,

      `CREATE TABLE ${t}schedules (
       queue INTEGER NOT NULL,
       name  TEXT    NOT NULL,
       due   REAL,
       body  TEXT    NOT NULL,
       PRIMARY KEY (queue, name)
     ) WITHOUT ROWID`,
      `CREATE INDEX ${t}schedules_due ON ${t}schedules (due) WHERE due IS NOT NULL`,

      `CREATE TABLE ${t}retired (
       scope INTEGER NOT NULL,
       queue TEXT    NOT NULL,
       name  TEXT    NOT NULL,
       until REAL    NOT NULL,
       body  TEXT    NOT NULL,
       PRIMARY KEY (scope, queue, name)
     ) WITHOUT ROWID`,

      ...ballast(t, BALLAST, { floored: false }),
    ],
    down: (t) => [
      `DROP TABLE ${t}retired`,
      `DROP TABLE ${t}schedules`,
      `DROP TABLE ${t}nodes`,
      `DROP TABLE ${t}throttles`,
      `DROP TABLE ${t}grants`,
      `DROP TABLE ${t}settled`,
      `DROP TABLE ${t}kin`,
      `DROP TABLE ${t}keys`,
      `DROP TABLE ${t}turns`,
      `DROP TABLE ${t}jobs`,
      `DROP TABLE ${t}lanes`,
      `DROP TABLE ${t}paused_groups`,
      `DROP TABLE ${t}backlogs`,
      `DROP TABLE ${t}queues`,
      `DROP TABLE ${t}scopes`,
      `DROP TABLE ${t}counters`,
    ],
  },
]
