// Who can be measured: a name, what opens it, and what stands beside it at the same durability.
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../dist', import.meta.url))

/**
 * What stands beside Millrace on PostgreSQL, each at its fastest documented settings. `pace` is for
 * those that would take minutes over as many jobs as Millrace: all others have the same backlog.
 */
const ON_POSTGRES = [
  { label: 'pg-boss', kind: 'pg-boss' },
  { label: 'graphile-worker', kind: 'graphile-worker' },
  { label: 'bullmq', kind: 'bullmq-postgres', pace: 'slow' },
]

/** A subject is plain data, so that it can be handed to another process. */
export function subjectsFor(
  name,
  { durability = 'power', build = DIST, also = [], alone = false, on = 'file' },
) {
  const millrace = (build, label) => ({ label, kind: 'millrace', build, store: name, durability })
  const label = `millrace ${name}:`
  const builds = also.map((build, at) => millrace(build, `${label} (build ${at + 2})`))
  switch (name) {
    case 'file':
    case 'maildir':
    case 'sqlite': {
      const synchronous = durability === 'power' ? 'FULL' : 'NORMAL'
      const beside = {
        label: `plainjob ${synchronous}`,
        kind: 'plainjob',
        synchronous,
        pace: 'slow',
      }
      return [millrace(build, label), ...builds, ...(alone ? [] : [beside])]
    }
    case 'postgres':
      return [millrace(build, label), ...builds, ...(alone ? [] : ON_POSTGRES)]
    case 'memory':
      return [millrace(build, label), ...builds]
    case 'gates': {
      const plain = { ...millrace(build, 'no gates'), store: on }
      const gated = (groups) => ({ ...plain, label: `${groups} groups, gates`, groups })
      return [plain, gated(10), gated(100_000)]
    }
    default:
      throw new Error(`unknown subject ${name}: file, maildir, sqlite, postgres, memory or gates`)
  }
}

/** What opens a subject in a place, a folder or a database; each call opens it anew. */
export function opener(subject, place, measure) {
  const load = async () => {
    const { load } = await import(`./subjects/${subject.kind}.mjs`)
    return load(subject)
  }
  /** `load` by itself, for who measures the opening and not the reading of its code. */
  const open = async () => (await load())({ ...subject, ...place, measure })
  /** `told`: what another process needs to open the same. */
  return Object.assign(open, { subject, place, load, told: { subject, place, measure } })
}

/** Why a subject cannot be measured here; null when it can. A fault of Millrace is none of these reasons. */
export async function whyNot(subject, place) {
  try {
    const one = await opener(subject, place)()
    await one.close()
    return null
  } catch (error) {
    if (subject.kind === 'millrace' && error.code !== 'DRIVER_MISSING') throw error
    return String(error.message ?? error)
  }
}
