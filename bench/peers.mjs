// What stands beside Millrace has a package and a lockfile of its own, so that the repository's
// `npm ci` stays quick and needs no compiler. It is installed here, when the bench first needs it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('./peers', import.meta.url))
const BUILT = `${FOLDER}/node_modules/better-sqlite3/build/Release/better_sqlite3.node`

/** What a plan needs of it; the postgres ones are plain JavaScript. */
const NEEDED = {
  file: [BUILT],
  maildir: [BUILT],
  sqlite: [BUILT],
  postgres: ['pg-boss', 'graphile-worker', 'bullmq', 'pg'].map(
    (name) => `${FOLDER}/node_modules/${name}/package.json`,
  ),
}

/** False when they cannot be had here; the reason has been told. */
export function havePeers(plan, tell) {
  const needed = NEEDED[plan]
  const isHere = () => needed.every((path) => existsSync(path))
  if (isHere()) return true
  // What was compiled is not thrown away for those that need no compiler.
  const compiles = needed.includes(BUILT) || existsSync(BUILT)
  tell('installing what stands beside Millrace into bench/peers')
  if (compiles) tell('better-sqlite3 may be compiled for a minute or two …')
  const words = ['ci', '--no-audit', '--no-fund', ...(compiles ? [] : ['--ignore-scripts'])]
  const { status } = spawnSync('npm', words, {
    cwd: FOLDER,
    stdio: ['ignore', process.stderr, process.stderr],
  })
  if (status === 0 && isHere()) return true
  tell('that did not work: measuring Millrace alone (`npm ci` in bench/peers says why)')
  return false
}
