/**
 * What another store kept, as lines of the log. A job's line is one that a producer's would be, with
 * the facts of its life in front, so that it can be read again as that; papers are lines of
 * settlements and notes, numbered in place of a token; what stands beside jobs is one line each.
 *
 *     ld the facts of a job, without what all have      fact what stands beside jobs
 *
 * Frozen by the format number of the store.
 */
import type { JobFacts, LoadItem } from '../../job/book/frame.js'
import type { PortableFact } from '../../job/portable.js'
import { PLAIN_JOB, saidOf } from '../../job/portable.js'
import { jobLine, noteLine, readJob, readNote, readSettle, settleLine } from './items.js'
import { plain, unplain } from '../../job/plain.js'

export function loadLine(item: LoadItem): string {
  switch (item.as) {
    case 'job': {
      const { isDescribed, ...facts } = item.facts
      const said = { ...saidOf(facts), ...(isDescribed ? {} : { isReceipt: true }) }
      return `{"ld":${plain(said)},${jobLine(item.job).slice(1)}`
    }
    case 'paper':
      return 'verdict' in item.paper ? settleLine(item.paper) : noteLine(item.paper)
    case 'fact':
      return `{"fact":${plain(item.fact)}}`
  }
}

/** Which kind of line it is, for whoever wants to read it again. */
export function kindOfLoad(item: LoadItem): 'job' | 'settle' | 'note' {
  if (item.as !== 'paper') return 'job'
  return 'verdict' in item.paper ? 'settle' : 'note'
}

type Said = Partial<JobFacts> & { readonly isReceipt?: true }

export function readLoad(line: string): LoadItem {
  // The line's checksum was good, so `loadLine` wrote it.
  if (line.startsWith('{"fact":')) {
    const { fact } = unplain(line) as { fact: PortableFact }
    return { as: 'fact', fact }
  }
  if (line.startsWith('{"ld":')) return readLoaded(line)
  const front = line.split('\t', 1)[0]
  const isSettle = 'v' in (JSON.parse(front) as object)
  return { as: 'paper', paper: isSettle ? readSettle(line) : readNote(line) }
}

function readLoaded(line: string): LoadItem {
  const { ld } = JSON.parse(line.split('\t', 1)[0]) as { ld: unknown }
  const { isReceipt, ...said } = unplain(JSON.stringify(ld)) as Said
  const facts = { ...PLAIN_FACTS, ...said, isDescribed: isReceipt !== true }
  return { as: 'job', job: readJob(line, false), facts: facts as JobFacts } // as: what all jobs say is never left out
}

const PLAIN_FACTS: Partial<JobFacts> = {
  ...{ attempt: 0, round: 1, crashes: 0, isAtWall: false, endedAt: null, holdsGroup: false },
  ...{ isFresh: false, key: null, expiresIn: null, onParentFailed: 'wait', progress: null },
  ...{ stepsTold: 0, discarded: null, reason: null, movedTo: null, isDeleted: false, final: null },
  ...{ history: PLAIN_JOB.history, origin: null, result: null, log: null, steps: [], parents: [] },
}
