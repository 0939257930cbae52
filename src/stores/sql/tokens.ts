/**
 * Numbers for tokens. Of two tokens of one job the later is the greater, for ever, also when the claim
 * that had the last one was forgotten with the power: whoever holds it may live on another host, and
 * not know. So only numbers are given up to which a durable commit has reserved them, and where the
 * database may have gone back they begin anew beyond all that were reserved.
 */
import type { Tx } from './port.js'

/** The last of so many tokens, which are greater than all that were given before. */
export async function takeTokens(tx: Tx, count: number): Promise<number> {
  const taken = await take(tx, count)
  if (taken !== null) return taken
  await tx.all('token.wait', [])
  // Whoever was faster has reserved for all.
  const now = await take(tx, count)
  if (now !== null) return now
  await tx.all('token.reserve', [RESERVED])
  const reserved = await take(tx, count)
  if (reserved === null)
    throw new Error(`${count} tokens were asked for, of a reserve of ${RESERVED}`)
  return reserved
}

/** A claim of PostgreSQL uses 16,384 of them: some million claims between two waits for the disk. */
const RESERVED = 2 ** 34

/** null: these are not reserved, or nobody knows any more. */
async function take(tx: Tx, count: number): Promise<number | null> {
  const [{ last, until }] = await tx.all('token.take', [count])
  return last !== null && until !== null && last <= until ? last : null
}
