// Who can be measured: a name, what opens it, and what stands beside it at the same durability.
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../dist', import.meta.url))

/** A subject is plain data, so that it can be handed to another process. */
export function subjectsFor(
  name,
  { durability = 'power', build = DIST, also = [], alone = false },
) {
  const millrace = (build, label) => ({ label, kind: 'millrace', build, store: name, durability })
  const label = `millrace ${name}:`
  const builds = also.map((build, at) => millrace(build, `${label} (build ${at + 2})`))
  switch (name) {
    case 'file': {
      const synchronous = durability === 'power' ? 'FULL' : 'NORMAL'
      const beside = { label: `plainjob ${synchronous}`, kind: 'plainjob', synchronous }
      return [millrace(build, label), ...builds, ...(alone ? [] : [beside])]
    }
    case 'memory':
      return [millrace(build, label), ...builds]
    case 'gates': {
      const plain = { ...millrace(build, 'no gates'), store: 'file' }
      const gated = (groups) => ({ ...plain, label: `${groups} groups, gates`, groups })
      return [plain, gated(10), gated(100_000)]
    }
    default:
      throw new Error(`unknown subject ${name}: file, memory or gates`)
  }
}

/** What opens a subject on a folder; each call opens it anew. */
export function opener(subject, folder) {
  const load = async () => {
    const { load } = await import(`./subjects/${subject.kind}.mjs`)
    return load(subject)
  }
  /** `load` by itself, for who measures the opening and not the reading of its code. */
  const open = async () => (await load())({ ...subject, folder })
  return Object.assign(open, { subject, folder, load })
}
