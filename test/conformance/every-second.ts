// Half of the laws, where another file of the suite plays all of them on nearly the same store.
import type { StoreSuite } from 'millrace/testing'

type It = StoreSuite['it']

/** The first, the third, and so on. */
export function everySecond(it: It): It {
  let laws = 0
  return (name, body) => (laws++ % 2 === 0 ? it(name, body) : undefined)
}
