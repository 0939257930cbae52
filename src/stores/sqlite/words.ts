/** Words that statements share. */

/** It does not move to another store: what does, waits there for its end. */
export const STAYS = `coalesce(q.transit ->> '$.side', '') <> 'moving'`

/** Runs, as the index of what is held has it. */
export const RUNS = 'state = 2 AND state < 4 AND (flags & 64) <> 0'
