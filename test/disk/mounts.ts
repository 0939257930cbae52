// Small file systems of a test's own, in a mount namespace that ends with the process in it: the
// machine keeps nothing of them.
import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Root needs no user namespace for it, and may have none. */
const FLAGS = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user']

const tried = spawnSync('unshare', [...FLAGS, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'])

/** Where it counts, a skip would hide the proof: there the missing dist is a failure. */
const isUnbuilt =
  !existsSync(new URL('../../dist/index.js', import.meta.url)) && process.env.CI !== 'true'
const whyUnbuilt = ' (skipped: there is no dist, run npm run build first)'
const whyUnmounted = tried.status === 0 ? '' : ' (skipped: nothing can be mounted here)'

/** Why what was built cannot be run on a file system of its own; '': it can. */
export const whyNoMounts = isUnbuilt ? whyUnbuilt : whyUnmounted

/** A file of the repository, by its path from here. */
export function fileOf(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}

/** Runs a line of the shell there; `$1`, `$2` … are its words. Answers what it printed, each line. */
export async function inNamespace(line: string, words: readonly string[]): Promise<string[]> {
  const args = [...FLAGS, 'sh', '-c', line, 'sh', ...words]
  const printed = await new Promise<string>((resolve, reject) => {
    execFile('unshare', args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${error.message}\n${stdout.slice(-2_000)}\n${stderr.slice(-2_000)}`))
    })
  })
  return printed.split('\n').filter((one) => one !== '')
}
