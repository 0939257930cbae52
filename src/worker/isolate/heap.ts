/**
 * How much an isolate's JavaScript heap may hold, and the flags that it inherits. A limit that the
 * user gave this process counts for its isolates, too. Buffers lie outside the heap and outside of
 * this limit.
 */
import { ISOLATE_HEAP } from '../../job/defaults.js'

const HEAP_FLAG = /--max[-_]old[-_]space[-_]size[= ](\d+)/g

/** In MiB. */
export function heapLimit(): number {
  const flags = [process.env.NODE_OPTIONS ?? '', ...process.execArgv].join(' ')
  const said = [...flags.matchAll(HEAP_FLAG)].at(-1)
  return said === undefined ? ISOLATE_HEAP : Number(said[1])
}

/** Flags that belong to this process alone: two debuggers cannot share a port, say. */
const OWN_FLAGS = /^--(inspect|input-type|test|watch|max[-_]old[-_]space[-_]size)/
/** Flags whose program is the argument that follows. */
const PROGRAM_FLAGS = new Set(['-e', '--eval', '-p', '--print', '-pe'])

/** Loaders, conditions and the like are as needed there as here. */
export function inheritedFlags(): readonly string[] {
  const flags: string[] = []
  for (let at = 0; at < process.execArgv.length; at++) {
    const flag = process.execArgv[at]
    if (PROGRAM_FLAGS.has(flag)) at++
    else if (!OWN_FLAGS.test(flag)) flags.push(flag)
  }
  return [...flags, `--max-old-space-size=${heapLimit()}`]
}
