// Later releases, as far as a deployment can tell them: the code that is built here, with versions of the
// tables behind those that it has. Each is a whole copy on the disk, so that its threads have them, too.
import { appendFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * The first adds columns, an index and a table that older code knows nothing of; the second is for code
 * from the first on, and drops what it brought.
 */
const laterOf = (index: string): string => `
const released = VERSIONS.length
export const LATER = [
  {
    compatibleFrom: released,
    up: (t) => [
      \`ALTER TABLE \${t}jobs ADD COLUMN later_note TEXT\`,
      \`ALTER TABLE \${t}queues ADD COLUMN later_share INTEGER NOT NULL DEFAULT 1\`,
      \`CREATE INDEX ${index} ON \${t}jobs (later_note)\`,
      \`CREATE TABLE \${t}later (job BIGINT PRIMARY KEY, note TEXT)\`,
    ],
    down: (t) => [],
  },
  {
    compatibleFrom: released + 1,
    up: (t) => [\`ALTER TABLE \${t}jobs ADD COLUMN later_still REAL\`, \`DROP TABLE \${t}later\`],
    down: (t) => [],
  },
]
`
/** An index has its table's schema in PostgreSQL, and a name among all in SQLite. */
const INDEXES = { sqlite: '${t}jobs_later', postgres: 'jobs_later' }

/** The code of so many versions later, in this folder. Answers what a program imports. */
export function release(folder: string, later: number): string {
  const home = join(folder, `later-${later}`)
  mkdirSync(home)
  cpSync(join(ROOT, 'dist'), join(home, 'dist'), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'))
  writeFileSync(join(home, 'package.json'), '{ "type": "module" }')
  for (const [store, index] of Object.entries(INDEXES)) {
    const more = `${laterOf(index)}\nVERSIONS.push(...LATER.slice(0, ${later}))\n`
    appendFileSync(join(home, 'dist', 'stores', store, 'schema.js'), more)
  }
  return join(home, 'dist', 'index.js')
}
