// Whether it adds up: every message that was taken is done or was a dead letter, and what lay in the
// folder, waited or was in memory did not grow with the time.
import { readdirSync } from 'node:fs'

/** Of a folder at rest: papers, receipts of the last moments. */
export const LEFT_FILES = 200
const GROWN = 2 // times what it was at first, where "at first" is a sample and no floor
const FLOOR = { waiting: 1_000, files: 5_000, heap: 128 * 2 ** 20 }

/** All files below a folder. */
export function filesIn(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).length
}

export function judge({ pushed, ended, met, samples, left }) {
  const faults = [...met.faults]
  const due = pushed.taken + met.dead
  if (ended.completed + ended.dead !== due) {
    faults.push(`${due} were taken, and ${ended.completed} + ${ended.dead} came to an end`)
  }
  if (pushed.refused > 0) faults.push(`${pushed.refused} were refused: the workers did not keep up`)
  const half = Math.floor(samples.length / 2)
  for (const [what, floor] of Object.entries(FLOOR)) {
    const most = (some) => Math.max(floor, ...some.map((sample) => sample[what]))
    const [early, late] = [most(samples.slice(0, half)), most(samples.slice(half))]
    if (late > GROWN * early) faults.push(`${what} grew from ${early} to ${late}`)
  }
  if (left > LEFT_FILES) faults.push(`${left} files are left in the folder`)
  return faults
}
