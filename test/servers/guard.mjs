// @ts-check
// Sees to it that a server of a test leaves nothing behind. A shell in a session of its own reads from
// a pipe whose other end this process holds: the id of the server that runs, or an empty line. When the
// pipe ends, because we are done or because we were killed with -9, it ends the server and removes the
// folder. So there is one way to clean up, and it does not depend on how we go.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { give, isOpen } from './binaries.mjs'

/** A unix socket's path may have about a hundred bytes, of which our own names take some. */
const LONGEST_PARENT = 60

/** Who has ended and was not reaped yet is still there for `kill -0`; not every system has /proc. */
const SCRIPT = `
lives() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }
pid=
while read -r next; do pid=$next; done
if [ -n "$pid" ] && kill -QUIT "$pid" 2>/dev/null; then
  while lives "$pid"; do sleep 0.05; done
fi
rm -rf -- "$1"
`

export class Guard {
  #shell

  /** @param {string} folder */
  constructor(folder) {
    const words = ['-c', SCRIPT, 'millrace-test-guard', folder]
    this.#shell = spawn('sh', words, {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
    })
    // It must not keep us here: whoever forgets to end it is cleaned up after.
    this.#shell.unref()
    const pipe = /** @type {import('node:net').Socket} */ (this.#shell.stdin) // stdio[0] is a pipe
    pipe.unref()
  }

  /**
   * From now on this one is to be ended with us; null: none.
   *
   * @param {number | null | undefined} pid
   */
  watch(pid) {
    this.#shell.stdin?.write(`${pid ?? ''}\n`)
  }

  /** Resolves when the folder is gone. */
  async end() {
    if (this.#shell.exitCode !== null) return
    this.#shell.ref()
    const gone = once(this.#shell, 'exit')
    this.#shell.stdin?.end()
    await gone
  }
}

/**
 * A new folder that only `user` may enter.
 *
 * @param {string} prefix
 * @param {string | undefined} parent [the first temporary one that he can reach and that is short enough]
 * @param {import('./binaries.mjs').User | null} user
 */
export function privateFolder(prefix, parent, user) {
  const parents = parent === undefined ? [tmpdir(), '/tmp', '/var/tmp'] : [parent]
  const fits = (/** @type {string} */ one) =>
    one.length <= LONGEST_PARENT && (user === null || isOpen(one, user))
  const chosen = parents.find(fits)
  if (chosen === undefined) {
    throw new Error(`the user ${user?.name ?? 'of now'} cannot use ${parents.join(' nor ')}`)
  }
  const folder = mkdtempSync(join(chosen, prefix))
  chmodSync(folder, 0o700)
  give(folder, user)
  return folder
}
