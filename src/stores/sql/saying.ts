/**
 * Settings: two layers of each queue with one revision. A change waits for the claims that are
 * under way, opens every turn, since any gate may be another one now, and puts what waits where the
 * new settings want it.
 */
import type { SettingsLayer, StoredSettings } from '../../job/settings.js'
import { AVAILABLE } from '../../job/book/columns.js'
import { effective } from '../../job/effective.js'
import { overridden, sameLayer } from '../book/layers.js'
import type { OverrideChange } from '../../store.js'
import { isLimited } from './backlog.js'
import { flush } from './flush.js'
import { Gatherer } from './gather.js'
import { NewTurns } from './new-turns.js'
import type { News } from './news.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import type { JobRow } from './row.js'
import type { QueueFacts } from './sheet.js'
import { toText } from './text.js'

type Layer = 'declared' | 'overrides'

export async function declare(
  tx: Tx,
  queues: Queues,
  queue: string,
  declared: SettingsLayer,
  news: News,
): Promise<StoredSettings> {
  return say(tx, queues, queue, 'declared', () => declared, news)
}

export async function override(
  tx: Tx,
  queues: Queues,
  queue: string,
  change: OverrideChange,
  news: News,
): Promise<StoredSettings> {
  return say(tx, queues, queue, 'overrides', (before) => overridden(before.overrides, change), news)
}

/** Says it where nothing was said before; false: it was. */
export async function fill(
  tx: Tx,
  queues: Queues,
  queue: string,
  layer: Layer,
  settings: SettingsLayer,
  news: News,
): Promise<boolean> {
  if (Object.keys(settings).length === 0) return false
  let isEmpty = false
  const wanted = (before: StoredSettings): SettingsLayer => {
    isEmpty = Object.keys(before[layer]).length === 0
    return isEmpty ? settings : before[layer]
  }
  await say(tx, queues, queue, layer, wanted, news)
  return isEmpty
}

async function say(
  tx: Tx,
  queues: Queues,
  queue: string,
  layer: Layer,
  wanted: (before: StoredSettings) => SettingsLayer,
  news: News,
): Promise<StoredSettings> {
  const facts = (await queues.enter(tx, [queue], 'make', 'alone')).get(queue)
  if (facts === undefined) throw new Error(`queue ${queue} was not made`)
  const settings = wanted(facts.stored)
  if (sameLayer(facts.stored[layer], settings)) return facts.stored
  const stored = { ...facts.stored, [layer]: settings, revision: facts.stored.revision + 1 }
  const after = effective(stored)
  await tx.all('queue.say', [
    facts.id,
    stored.revision,
    toText(stored.declared),
    toText(stored.overrides),
    after.rate?.key ?? null,
  ])
  // From now on it is told what comes and goes, or not any more: what was counted is worth nothing.
  if (isLimited(facts) !== isLimited({ ...facts, stored })) {
    await tx.all('backlog.forget', [facts.id])
  }
  await reconsider(tx, queues, facts, layer, stored, news)
  await tx.all('turn.openAll', [facts.id, facts.pass])
  news.control(queue)
  news.jobs(queue)
  news.ends(queue)
  return stored
}

/** Rows of one sheet. */
const ROWS_AT_ONCE = 1_000

/** Other limits of attempts or age mean another place for some of what waits. */
async function reconsider(
  tx: Tx,
  queues: Queues,
  facts: QueueFacts,
  layer: Layer,
  stored: StoredSettings,
  news: News,
): Promise<void> {
  const before = effective(facts.stored)
  const after = effective(stored)
  const isOtherAge = before.limits.age !== after.limits.age
  if (before.attempts === after.attempts && before.delivery === after.delivery && !isOtherAge)
    return
  const least = isOtherAge ? 0 : Math.min(before.attempts, after.attempts)
  for (let from = 0; ;) {
    const rows = await tx.all('job.waiting', [facts.id, least, from, ROWS_AT_ONCE])
    const last = rows.at(-1)
    if (last === undefined) return
    from = last.seq
    const gatherer = new Gatherer(tx, queues)
    const { sheet } = gatherer
    gatherer.add(facts)
    sheet.addJobs(rows)
    sheet.open()
    const frame = {
      kind: 'settings',
      queue: facts.name,
      revision: stored.revision,
      layer,
      settings: stored[layer],
    } as const
    sheet.book.apply<'settings'>(frame, tx.now, [])
    await flush(tx, queues, sheet, news)
    sheet.close()
    if (isOtherAge) standAgain(tx, facts, rows)
  }
}

/** What was late may be in time now: its line may have lost its turn, or passed it by. */
function standAgain(tx: Tx, { pass }: QueueFacts, rows: readonly JobRow[]): void {
  const turns = new NewTurns()
  for (const row of rows) {
    if (row.state === AVAILABLE && row.lane !== null) turns.add({ ...row, lane: row.lane }, pass)
  }
  tx.write('turn.add', [], turns.rows())
}
