// A copy of a folder that is written to meanwhile: files may come and go, as in the data of a running
// server, whose log then says what the copy lacks.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @param {string} from
 * @param {string} to is made
 * @param {readonly string[]} except names at the top that stay behind
 */
export function copyLiving(from, to, except = []) {
  mkdirSync(to, { mode: 0o700 })
  for (const entry of unlessGone(() => readdirSync(from, { withFileTypes: true })) ?? []) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (except.includes(entry.name)) continue
    if (entry.isDirectory()) copyLiving(source, target)
    else if (entry.isFile()) unlessGone(() => copyFileSync(source, target))
  }
}

/**
 * @template T
 * @param {() => T} read
 */
function unlessGone(read) {
  try {
    return read()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
