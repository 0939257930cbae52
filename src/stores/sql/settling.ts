/**
 * Settling what did not go in one trip (`plainly.ts`): a plain completion (no result, and nothing that
 * anyone could still ask of the job) is one deletion, fenced by the token. All other verdicts go
 * through a sheet, and so does what the deletion did not find: its token is dead, or the job leaves
 * something behind.
 */
import type { TokenText } from '../../job/claim.js'
import type { Encoded } from '../../job/codec.js'
import type { Happening } from '../../job/job.js'
import type { SettleItem } from '../../job/book/frame.js'
import { isKept } from '../../job/book/outcome.js'
import type { Remembered } from '../../job/book/settled.js'
import { isGated } from '../../job/settings.js'
import type { Settings } from '../../job/settings.js'
import type { Note, Noted, Settled, Settlement, Verdict } from '../../job/verdict.js'
import { flush } from './flush.js'
import { Gatherer } from './gather.js'
import type { News } from './news.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import { settingsOf } from './queues.js'
import { settledRow } from './settled.js'
import type { QueueFacts } from './sheet.js'

export interface SettledJobs {
  readonly settled: readonly Settled[]
  readonly happened: readonly Happening[]
}

export const PLAINLY: Settled = { status: 'done', state: 'completed', deadLetter: null }

export async function settle(
  tx: Tx,
  queues: Queues,
  asks: readonly Settlement[],
  news: News,
): Promise<SettledJobs> {
  if (asks.length === 0) return { settled: [], happened: [] }
  const names = asks.map(({ queue }) => queue)
  tx.spread({ of: 'tokens', tokens: asks.map(({ token }) => tokenOf(token)) })
  const found = await queues.enter(tx, names, 'find', 'beside')
  const plain = await completePlain(tx, asks, found, news)
  const rest = asks.filter((ask) => !plain.has(ask))
  const { settled, happened } = await settleOnSheet(tx, queues, rest, news)
  const answers = new Map(rest.map((ask, at) => [ask, settled[at]]))
  const remembered = rest.flatMap((ask, at): [number, Remembered][] => {
    const one = settled[at]
    return one.status === 'lost'
      ? []
      : [[tokenOf(ask.token), { verdict: ask.verdict.kind, settled: one }]]
  })
  if (plain.size > 0 || remembered.length > 0) {
    const tokens = [...plain].map(({ token }) => tokenOf(token))
    tx.write('settled.add', [queues.scope, tx.now, ...settledRow(tokens, remembered)], [[]])
  }
  return { settled: asks.map((ask) => answers.get(ask) ?? PLAINLY), happened }
}

/** Those that were completed by deleting them. */
async function completePlain(
  tx: Tx,
  asks: readonly Settlement[],
  found: ReadonlyMap<string, QueueFacts>,
  news: News,
): Promise<ReadonlySet<Settlement>> {
  const byName = new Map<string, Settlement>()
  const rows: [number, string, number][] = []
  for (const ask of asks) {
    const facts = found.get(ask.queue)
    const { verdict } = ask
    if (facts === undefined || verdict.kind !== 'complete' || verdict.result !== null) continue
    if (isKept(settingsOf(facts).keep.completed)) continue
    const name = `${facts.id}/${ask.id}`
    if (byName.has(name)) continue
    byName.set(name, ask)
    rows.push([facts.id, ask.id, tokenOf(ask.token)])
  }
  const gone = await tx.each('job.complete', [], rows)
  const done = new Set<Settlement>()
  const left = new Map<string, [number, string, number]>()
  const facts = new Map([...found.values()].map((one) => [one.id, one]))
  for (const { queue, id, grp } of gone) {
    const ask = byName.get(`${queue}/${id}`)
    const of = facts.get(queue)
    if (ask === undefined || of === undefined) continue
    done.add(ask)
    news.ends(of.name)
    if (!isGated(settingsOf(of))) continue
    news.jobs(of.name)
    left.set(`${queue}/${grp}`, [queue, grp, of.pass])
  }
  tx.write('turn.open', [], [...left.values()])
  return done
}

/** Whether a job that ends so is gone, unless it is one that somebody may ask for. */
export function leavesNothing(settings: Settings, verdict: Verdict): boolean {
  return !isKept(settings.keep.completed) && verdict.kind === 'complete' && verdict.result === null
}

/** The result, if a job that ends so leaves a receipt with it and nothing else. */
export function leavesResult(settings: Settings, verdict: Verdict): Encoded | null {
  if (verdict.kind !== 'complete' || settings.receipts === 0) return null
  return isKept(settings.keep.completed) ? null : verdict.result
}

async function settleOnSheet(
  tx: Tx,
  queues: Queues,
  asks: readonly Settlement[],
  news: News,
): Promise<SettledJobs> {
  if (asks.length === 0) return { settled: [], happened: [] }
  const gatherer = new Gatherer(tx, queues, 'beside')
  const { sheet } = gatherer
  const rows = await gatherer.jobsAnywhere(asks)
  const ends = new Map(asks.map((ask) => [tokenOf(ask.token), ask.verdict.kind]))
  const completes = rows.filter(({ token }) => token !== null && ends.get(token) === 'complete')
  const others = rows.filter((row) => !completes.includes(row))
  await gatherer.ends(others, completes)
  const held = new Set(rows.map(({ token }) => token))
  await gatherer.settled(
    asks.map(({ token }) => tokenOf(token)).filter((token) => !held.has(token)),
  )
  sheet.open()
  const items = asks.map(({ queue, id, token, verdict, ran }): SettleItem => {
    return { queue, id, token: tokenOf(token), verdict, ran }
  })
  const answer = sheet.book.apply<'settle'>({ kind: 'settle', items }, tx.now, items)
  await flush(tx, queues, sheet, news)
  sheet.close()
  return answer
}

/** A text that is no token of ours is that of no job. */
export function tokenOf(text: TokenText): number {
  const token = Number(text)
  return Number.isSafeInteger(token) ? token : 0
}

export async function note(
  tx: Tx,
  queues: Queues,
  notes: readonly Note[],
  news: News,
): Promise<readonly Noted[]> {
  const gatherer = new Gatherer(tx, queues, 'beside')
  const { sheet } = gatherer
  tx.spread({ of: 'tokens', tokens: notes.map(({ token }) => tokenOf(token)) })
  await gatherer.jobsAnywhere(notes)
  if (notes.some((one) => (one.throttles ?? []).length > 0)) await gatherer.resting()
  sheet.open()
  const items = notes.map((one) => ({ ...one, token: tokenOf(one.token) }))
  const noted = sheet.book.apply<'note'>({ kind: 'note', items }, tx.now, items)
  await flush(tx, queues, sheet, news)
  sheet.close()
  return noted
}
