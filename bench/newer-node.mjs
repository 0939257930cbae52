// Some of what stands beside Millrace wants a newer Node than the one at hand. Then everything of that
// plan runs on one newer Node, which npm has as a package for each platform; else the figures of two
// Nodes would stand side by side.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const LEAST = 22
const TAKEN = 24
const RUN = fileURLToPath(new URL('./run.mjs', import.meta.url))

/** Runs the bench again on a newer Node, and ends with it; goes on here when this one is new enough. */
export function onNewerNode(tell) {
  if (Number.parseInt(process.versions.node) >= LEAST) return
  const newer = `node-${process.platform}-${process.arch}@${TAKEN}`
  tell(`on Node ${TAKEN}, since pg-boss and graphile-worker need ${LEAST} or newer`)
  const words = ['-y', '-p', newer, '--', 'node', RUN, ...process.argv.slice(2)]
  const { status, signal } = spawnSync('npx', words, { stdio: 'inherit' })
  process.exit(signal === null ? (status ?? 1) : 130)
}
