/**
 * Sorting slots in slices: a million rows that are out of order would stop the event loop for a
 * second. Yields now and then, so that the caller may let others run.
 */

/** Sorted at once: some 2 ms. */
const RUN = 2_048
/** Merged or looked at between two yields. */
const STEP = 8_192

/** Answers the slots sorted; those that are in order already cost one look. `compare`: as of arrays. */
export function* sorted(
  slots: Uint32Array,
  compare: (a: number, b: number) => number,
): Generator<void, Uint32Array> {
  if (yield* isSorted(slots, compare)) return slots
  let from = slots.slice()
  for (let at = 0; at < from.length; at += RUN) {
    from.subarray(at, at + RUN).sort(compare)
    yield
  }
  let into = new Uint32Array(from.length)
  for (let width = RUN; width < from.length; width *= 2) {
    yield* mergePass(from, into, width, compare)
    const merged = into
    into = from
    from = merged
  }
  return from
}

function* isSorted(
  slots: Uint32Array,
  compare: (a: number, b: number) => number,
): Generator<void, boolean> {
  for (let at = 1; at < slots.length; at++) {
    if (compare(slots[at - 1], slots[at]) > 0) return false
    if (at % STEP === 0) yield
  }
  return true
}

/** Runs of `width` are sorted; those of twice the width are in `into`. */
function* mergePass(
  from: Uint32Array,
  into: Uint32Array,
  width: number,
  compare: (a: number, b: number) => number,
): Generator<void> {
  for (let start = 0; start < from.length; start += 2 * width) {
    const middle = Math.min(start + width, from.length)
    const end = Math.min(start + 2 * width, from.length)
    let left = start
    let right = middle
    for (let at = start; at < end; at++) {
      const isLeft = right === end || (left < middle && compare(from[left], from[right]) <= 0)
      into[at] = isLeft ? from[left++] : from[right++]
      if (at % STEP === 0) yield
    }
  }
}
