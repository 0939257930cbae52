// Some of the laws, where another file of the suite plays all of them on nearly the same store.
import type { StoreSuite } from 'millrace/testing'

type Ways = Pick<StoreSuite, 'describe' | 'it'>

/** Of each group the first, and from there every so many. */
export function everyNth(nth: number, { describe, it }: Ways): Ways {
  let laws = 0
  return {
    describe: (name, body) =>
      describe(name, () => {
        laws = 0
        body()
      }),
    it: (name, body) => (laws++ % nth === 0 ? it(name, body) : undefined),
  }
}
