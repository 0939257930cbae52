// One PGlite, in memory, and any number of stores on it, as the suite wants to have it: each law has
// scopes of its own.
import type { PGlite, Transaction } from '@electric-sql/pglite'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { OpenMedium } from 'millrace/testing'

/** `database`: asked once, for all that is opened. */
export function openPglite(database: () => Promise<PGlite>): OpenMedium {
  let made: Promise<PGlite> | null = null
  let laws = 0
  return async ({ clock, chance }) => {
    const law = ++laws
    const open = new Set<() => Promise<void>>()
    return {
      async connect({ scope = 'default' } = {}) {
        made ??= database()
        const parts = { chance, now: () => clock.wall(), liveness: () => 'alive' as const }
        const store = openablePostgresStore({ pool: await made }, parts)
        await store.open({ scope: `${law}/${scope}` })
        return store
      },
      async begin() {
        made ??= database()
        const { tx, end } = await beginOn(await made)
        const commit = (): Promise<void> => {
          open.delete(rollBack)
          return end()
        }
        const rollBack = async (): Promise<void> => {
          open.delete(rollBack)
          await tx.rollback()
          await end()
        }
        open.add(rollBack)
        return { tx, isAlone: true, commit, rollBack }
      },
      async destroy() {
        for (const rollBack of open) await rollBack()
      },
    }
  }
}

/** A transaction of PGlite's that is over when it is told so. */
export async function beginOn(db: PGlite): Promise<{ tx: Transaction; end: () => Promise<void> }> {
  let over: Promise<unknown> = Promise.resolve()
  let finish: () => void = () => undefined
  const tx = await new Promise<Transaction>((resolve, reject) => {
    over = db.transaction(async (one) => {
      resolve(one)
      await new Promise<void>((end) => (finish = end))
    })
    over.catch(reject)
  })
  const end = async (): Promise<void> => {
    finish()
    await over
  }
  return { tx, end }
}
