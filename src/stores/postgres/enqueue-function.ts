/**
 * `enqueue(queue, payload, options)` in SQL, for triggers and for other languages. It runs in the
 * caller's transaction: the job is there when that commits, and hints are told then. A job that may
 * run at once is written as one that has just become due, since whoever claims brings those in;
 * so nothing of the queue is locked, and there is no turn to keep true.
 *
 * It runs with the rights of whoever made the tables, so that a producer needs none on them.
 */
import { countOf, toldOf } from './backlog-statements.js'
import { nextBlock } from './words.js'
import { NAME_BYTES, PAYLOAD_BYTES, PRIORITY_LIMIT, TAGS } from '../../job/defaults.js'

/** On which processes of a scope hear of each other; the function says the same in SQL. */
export const CHANNEL_PREFIX = 'millrace_'
export const CHANNEL_DIGITS = 32

const OPTIONS = [
  'id',
  'delay',
  'at',
  'priority',
  'group',
  'task',
  'attempts',
  'timeout',
  'tags',
  'scope',
]

const list = OPTIONS.map((name) => `'${name}'`).join(', ')

export function enqueueFunction(s: string): readonly string[] {
  const schema = s.slice(0, -1)
  // As a string: the name without its quotes.
  const name = schema.slice(1, -1).replaceAll('""', '"').replaceAll("'", "''")
  return [
    `CREATE FUNCTION ${s}refuse(what text, expected text, received text) RETURNS void
     LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $millrace$
     BEGIN
       RAISE EXCEPTION 'millrace.enqueue: % must be %, received %',
         what, expected, coalesce(left(received, 200), 'null')
         USING ERRCODE = '22023';
     END $millrace$`,

    // 48 bits of milliseconds and 80 bits of chance, in Crockford's base 32.
    `CREATE FUNCTION ${s}new_id(now float8) RETURNS text
     LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $millrace$
     DECLARE
       digits CONSTANT text := '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
       -- Of a random UUID the bytes in which no bit is given.
       uuid   CONSTANT bytea := uuid_send(gen_random_uuid());
       chance CONSTANT bytea := substr(uuid, 1, 6) || substr(uuid, 8, 1) || substr(uuid, 10, 3);
       id     text := '';
       rest   bigint := floor(now)::bigint;
       five   int;
     BEGIN
       FOR at IN 1..10 LOOP
         id := substr(digits, (rest % 32)::int + 1, 1) || id;
         rest := rest / 32;
       END LOOP;
       FOR at IN 0..15 LOOP
         five := 0;
         FOR bit IN at * 5..at * 5 + 4 LOOP
           five := five * 2 + get_bit(chance, bit);
         END LOOP;
         id := id || substr(digits, five + 1, 1);
       END LOOP;
       RETURN id;
     END $millrace$`,

    `CREATE FUNCTION ${s}enqueue(queue text, payload jsonb, options jsonb DEFAULT '{}')
     RETURNS text
     LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $millrace$
     #variable_conflict use_variable
     DECLARE
       now_ms     CONSTANT float8 := floor(extract(epoch FROM clock_timestamp()) * 1000);
       said       text;
       one        jsonb;
       body       text;
       the_scope  text := 'default';
       the_id     text;
       the_task   text := 'default';
       the_group  text := '';
       the_place  float8 := now_ms;
       own_flags  int2 := 0;
       importance int2 := 0;
       most       bigint;
       spec       jsonb := '{}';
       scope_no   int;
       queue_no   int;
       lane_no    int;
       limits     jsonb;
       top        float8;
       waiting    bigint;
       added      bigint;
     BEGIN
       IF payload IS NULL THEN
         PERFORM ${s}refuse('the payload', 'JSON (''null''::jsonb for none)', NULL);
       END IF;
       IF options IS NULL OR jsonb_typeof(options) <> 'object' THEN
         PERFORM ${s}refuse('the options', 'a JSON object', options::text);
       END IF;
       IF options ? 'unique' THEN
         RAISE EXCEPTION 'millrace.enqueue: unique keys are not known here'
           USING ERRCODE = '0A000', HINT = 'give the job an id of your own: the same id twice is one job';
       END IF;
       SELECT key INTO said FROM jsonb_object_keys(options) AS key
       WHERE key NOT IN (${list}) ORDER BY key LIMIT 1;
       IF said IS NOT NULL THEN
         PERFORM ${s}refuse('an option', 'one of ${OPTIONS.join(', ')}', said);
       END IF;

       -- Names, all of the same kind.
       FOR said, one IN
         SELECT 'queue', to_jsonb(queue)
         UNION ALL SELECT key, value FROM jsonb_each(options)
                   WHERE key IN ('id', 'group', 'task', 'scope')
       LOOP
         IF one IS NULL OR jsonb_typeof(one) <> 'string' OR one #>> '{}' = ''
            OR octet_length(one #>> '{}') > ${NAME_BYTES} OR strpos(one #>> '{}', chr(1)) > 0 THEN
           PERFORM ${s}refuse(said, 'a text of 1 to ${NAME_BYTES} bytes', one::text);
         END IF;
       END LOOP;
       the_scope := coalesce(options ->> 'scope', the_scope);
       the_task  := coalesce(options ->> 'task', the_task);
       the_group := coalesce(options ->> 'group', the_group);
       the_id    := options ->> 'id';
       own_flags := CASE WHEN the_id IS NULL THEN 0 ELSE 1 END;
       the_id    := coalesce(the_id, ${s}new_id(now_ms));

       -- Numbers.
       one := options -> 'priority';
       IF one IS NOT NULL THEN
         IF NOT ${s}is_whole(one, -${PRIORITY_LIMIT}, ${PRIORITY_LIMIT}) THEN
           PERFORM ${s}refuse('priority', 'a whole number from -${PRIORITY_LIMIT} to ${PRIORITY_LIMIT}', one::text);
         END IF;
         importance := (one #>> '{}')::int2;
       END IF;
       one := options -> 'attempts';
       IF one IS NOT NULL THEN
         IF NOT ${s}is_whole(one, 1, 1000000) THEN
           PERFORM ${s}refuse('attempts', 'a whole number from 1 to 1000000', one::text);
         END IF;
         most := (one #>> '{}')::bigint;
       END IF;
       one := options -> 'timeout';
       IF one IS NOT NULL THEN
         IF NOT ${s}is_whole(one, 1, 1e15) THEN
           PERFORM ${s}refuse('timeout', 'whole milliseconds from 1', one::text);
         END IF;
         spec := spec || jsonb_build_object('timeout', one);
       END IF;
       one := options -> 'delay';
       IF one IS NOT NULL THEN
         IF options ? 'at' THEN
           PERFORM ${s}refuse('delay', 'left out where at is given', one::text);
         END IF;
         IF NOT ${s}is_whole(one, 0, 1e15) THEN
           PERFORM ${s}refuse('delay', 'whole milliseconds from 0', one::text);
         END IF;
         the_place := now_ms + (one #>> '{}')::float8;
       END IF;
       one := options -> 'at';
       IF one IS NOT NULL THEN
         IF ${s}is_whole(one, 0, 8.64e15) THEN
           the_place := (one #>> '{}')::float8;
         ELSE
           BEGIN
             IF jsonb_typeof(one) <> 'string' THEN RAISE invalid_datetime_format; END IF;
             the_place := floor(extract(epoch FROM (one #>> '{}')::timestamptz) * 1000);
             IF the_place NOT BETWEEN 0 AND 8.64e15 THEN RAISE invalid_datetime_format; END IF;
           EXCEPTION WHEN data_exception THEN
             PERFORM ${s}refuse('at', 'an instant, as milliseconds or as a text with its zone', one::text);
           END;
         END IF;
         own_flags := own_flags | 2;
       END IF;

       one := options -> 'tags';
       IF one IS NOT NULL THEN
         IF jsonb_typeof(one) <> 'array' THEN
           PERFORM ${s}refuse('tags', 'an array of texts', one::text);
         END IF;
         IF jsonb_array_length(one) > ${TAGS} OR EXISTS (
              SELECT FROM jsonb_array_elements(one) AS tag
              WHERE jsonb_typeof(tag) <> 'string'
                 OR octet_length(tag #>> '{}') NOT BETWEEN 1 AND ${NAME_BYTES}) THEN
           PERFORM ${s}refuse('tags', 'at most ${TAGS} texts of 1 to ${NAME_BYTES} bytes', one::text);
         END IF;
         IF jsonb_array_length(one) > 0 THEN spec := spec || jsonb_build_object('tags', one); END IF;
       END IF;

       -- Where it goes. Who finds them makes none.
       SELECT c.id INTO scope_no FROM ${s}scopes AS c WHERE c.name = the_scope;
       IF scope_no IS NULL THEN
         INSERT INTO ${s}scopes AS c (name) VALUES (the_scope)
         ON CONFLICT ON CONSTRAINT scopes_name_key DO UPDATE SET name = excluded.name RETURNING c.id INTO scope_no;
       END IF;
       SELECT q.id, ${s}limits_of(q.declared, q.overrides) INTO queue_no, limits
       FROM ${s}queues AS q WHERE q.scope = scope_no AND q.name = queue;
       IF queue_no IS NULL THEN
         INSERT INTO ${s}queues AS q (scope, name) VALUES (scope_no, queue)
         ON CONFLICT ON CONSTRAINT queues_scope_name_key DO UPDATE SET name = excluded.name
         RETURNING q.id, ${s}limits_of(q.declared, q.overrides) INTO queue_no, limits;
       END IF;
       SELECT l.id INTO lane_no FROM ${s}lanes AS l
       WHERE l.queue = queue_no AND l.task = the_task AND l.kind = 0;
       IF lane_no IS NULL THEN
         INSERT INTO ${s}lanes AS l (queue, task, kind) VALUES (queue_no, the_task, 0)
         ON CONFLICT ON CONSTRAINT lanes_queue_task_kind_key DO UPDATE SET kind = excluded.kind RETURNING l.id INTO lane_no;
       END IF;

       -- Limits; an object stands for none. Others may come at the same moment: no lock is taken.
       body := payload::text;
       IF jsonb_typeof(limits -> 'payloadBytes') IS DISTINCT FROM 'object' THEN
         top := coalesce((limits ->> 'payloadBytes')::float8, ${PAYLOAD_BYTES});
         IF octet_length(body) > top THEN
           RAISE EXCEPTION 'millrace.enqueue: the payload has % bytes, queue % takes %',
             octet_length(body), queue, top USING ERRCODE = '54000';
         END IF;
       END IF;
       IF jsonb_typeof(limits -> 'backlog') = 'number' THEN
         top := (limits ->> 'backlog')::float8;
         -- Counted by others, and told since; or for the first time.
         SELECT b.waiting + ${toldOf(s, 'b.queue')} INTO waiting
         FROM ${s}backlogs AS b WHERE b.queue = queue_no;
         IF waiting IS NULL THEN
           waiting := ${countOf(s, 'queue_no')};
         END IF;
         IF waiting >= top THEN
           RAISE EXCEPTION 'millrace.enqueue: queue % is full: % of % wait', queue, waiting, top
             USING ERRCODE = '54000', HINT = 'try again later, or raise limits.backlog';
         END IF;
       END IF;

       INSERT INTO ${s}jobs AS j
         (seq, queue, id, state, flags, task, grp, priority, crashes, attempt, max_attempts, place,
          due, inserted_at, since, lane, expires, payload, codec, spec)
       VALUES
         (${nextBlock(s, 'seq')}, queue_no, the_id, 0, own_flags, the_task, the_group, importance, 0, 0,
          most, the_place, the_place, now_ms, 0, lane_no,
          CASE WHEN jsonb_typeof(limits -> 'age') = 'number'
               THEN the_place + (limits ->> 'age')::float8 END,
          body, 0, CASE WHEN spec = '{}' THEN NULL ELSE spec::text END)
       ON CONFLICT DO NOTHING
       RETURNING j.seq INTO added;
       IF added IS NULL THEN
         IF EXISTS (SELECT FROM ${s}jobs AS j
                    WHERE j.queue = queue_no AND j.id = the_id AND j.state = 8
                      AND j.extra::json ->> 'isDeleted' = 'true') THEN
           RAISE EXCEPTION 'millrace.enqueue: job % of queue % was deleted lately', the_id, queue
             USING ERRCODE = '23505', HINT = 'give it another id, or wait until its receipt is gone';
         END IF;
         RETURN the_id;
       END IF;
       IF jsonb_typeof(limits -> 'backlog') = 'number' THEN
         INSERT INTO ${s}backlog_moves AS m (queue, moved) VALUES (queue_no, 1);
       END IF;
       PERFORM pg_notify(
         '${CHANNEL_PREFIX}' || left(encode(sha256(convert_to('${name}/' || the_scope, 'UTF8')), 'hex'), ${CHANNEL_DIGITS}),
         jsonb_build_array(jsonb_build_array('jobs', queue))::text);
       RETURN the_id;
     END $millrace$`,

    `CREATE FUNCTION ${s}is_whole(one jsonb, low numeric, high numeric) RETURNS boolean
     LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $millrace$
       SELECT CASE WHEN jsonb_typeof(one) = 'number'
                   THEN one::numeric = trunc(one::numeric) AND one::numeric BETWEEN low AND high
                   ELSE false END $millrace$`,

    // The operator's word lies over what was declared.
    `CREATE FUNCTION ${s}limits_of(declared text, overrides text) RETURNS jsonb
     LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $millrace$
       SELECT coalesce(declared::jsonb -> 'limits', '{}') || coalesce(overrides::jsonb -> 'limits', '{}') $millrace$`,

    `REVOKE ALL ON FUNCTION ${s}enqueue(text, jsonb, jsonb) FROM PUBLIC`,
    `COMMENT ON FUNCTION ${s}enqueue(text, jsonb, jsonb) IS
       'Enqueues a job when this transaction commits; answers its id. See docs/stores/postgres-sql.md.'`,
  ]
}
