// What stands beside Millrace has a package and a lockfile of its own, so that the repository's
// `npm ci` stays quick and needs no compiler. It is installed here, when the bench first needs it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('./peers', import.meta.url))
const BUILT = `${FOLDER}/node_modules/better-sqlite3/build/Release/better_sqlite3.node`

/** False when they cannot be had here; the reason has been told. */
export function havePeers(tell) {
  if (existsSync(BUILT)) return true
  tell('installing what stands beside Millrace into bench/peers; better-sqlite3 may be compiled')
  tell('for a minute or two …')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    stdio: ['ignore', process.stderr, process.stderr],
  })
  if (status === 0 && existsSync(BUILT)) return true
  tell('that did not work: measuring Millrace alone (`npm ci` in bench/peers says why)')
  return false
}
