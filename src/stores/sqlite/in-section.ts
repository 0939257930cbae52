/**
 * A handle of a thread that may be stopped from outside: it is inside the driver only while its section knows
 * it. Some drivers' native code ends the process when its thread is stopped in the midst of a call.
 */
import type { Section } from '../../store.js'
import { openFile } from './driver.js'
import type { Handle } from './driver.js'

/** Also loading the driver runs its code. */
export async function openInSection(section: Section, path: string): Promise<Handle> {
  section.enter()
  try {
    return inSection(section, await openFile(path))
  } finally {
    section.leave()
  }
}

function inSection(section: Section, handle: Handle): Handle {
  const inside = <T>(call: () => T): T => {
    section.enter()
    try {
      return call()
    } finally {
      section.leave()
    }
  }
  return {
    exec: (sql) => inside(() => handle.exec(sql)),
    prepare(sql) {
      const statement = inside(() => handle.prepare(sql))
      return {
        all: (params) => inside(() => statement.all(params)),
        rows: (params) => inside(() => statement.rows(params)),
        run: (params) => inside(() => statement.run(params)),
      }
    },
    close: () => inside(() => handle.close()),
    raw: handle.raw,
  }
}
