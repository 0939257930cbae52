/**
 * How much an isolate's JavaScript heap may hold. A limit that the user gave this process counts
 * for its isolates, too. Buffers lie outside the heap and outside of this limit.
 */
import { ISOLATE_HEAP } from '../../job/defaults.js'

const HEAP_FLAG = /--max[-_]old[-_]space[-_]size[= ](\d+)/g

/** In MiB. */
export function heapLimit(): number {
  const flags = [process.env.NODE_OPTIONS ?? '', ...process.execArgv].join(' ')
  const said = [...flags.matchAll(HEAP_FLAG)].at(-1)
  return said === undefined ? ISOLATE_HEAP : Number(said[1])
}
