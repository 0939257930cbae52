// A medium on which every queue that is declared has a limited backlog, and which tells of each call that
// was answered: so any walk of the suite is one of limited queues.
import type { OpenMedium } from 'millrace/testing'
import type { Store } from '../../src/store.js'

/** `answered`: after every call of any handle. */
export function limited(
  open: OpenMedium,
  backlog: number,
  answered: () => Promise<void> = async () => undefined,
): OpenMedium {
  return async (ask) => {
    const medium = await open(ask)
    return {
      ...medium,
      connect: async (of) => limitedStore(await medium.connect(of), backlog, answered),
      destroy: () => medium.destroy(),
    }
  }
}

function limitedStore(store: Store, backlog: number, answered: () => Promise<void>): Store {
  const declare: Store['declare'] = (queue, said) => {
    return store.declare(queue, { ...said, limits: { ...said.limits, backlog } })
  }
  return new Proxy(store, {
    get(_, name) {
      if (name === 'declare') return declare
      const value: unknown = Reflect.get(store, name, store)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(value, store, args)
        if (!(answer instanceof Promise) || name === 'close') return answer
        return answer.then(async (told: unknown) => {
          await answered()
          return told
        })
      }
    },
  })
}
