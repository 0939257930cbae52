/**
 * Nodes: who they are, that they live, what they hold. A claim counts as a sign of life, so does
 * a beat; a beat that has nothing to give back is one statement.
 */
import type { Card } from '../../job/book/frame.js'
import type { Beat, BeatAnswer, CheckAsk, Checked, NodeCard } from '../../store.js'
import { CANCEL_ASKED } from '../../job/book/columns.js'
import { flush } from './flush.js'
import { Gatherer } from './gather.js'
import type { News } from './news.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import { tokenOf } from './settling.js'
import type { NodeFacts } from './sheet.js'
import type { Asked } from './statements.js'
import { fromText, toText } from './text.js'

/** What can be told of a node from outside the database. */
export type Liveness = (card: Card) => 'dead' | 'alive' | 'unknown'

export class Nodes {
  readonly #queues: Queues
  readonly liveness: Liveness
  readonly #proof: string | null

  constructor(queues: Queues, liveness: Liveness, proof: string | null) {
    this.#queues = queues
    this.liveness = liveness
    this.#proof = proof
  }

  async all(tx: Tx): Promise<NodeFacts[]> {
    return (await tx.all('node.all', [this.#queues.scope])).map(factsOf)
  }

  async find(tx: Tx, node: string): Promise<NodeFacts | null> {
    const [row] = await tx.all('node.find', [this.#queues.scope, node])
    return row === undefined ? null : factsOf(row)
  }

  /** Whether another node is provably dead, and nobody has swept it yet. */
  async seesDead(tx: Tx, self: string): Promise<boolean> {
    const others = (await this.all(tx)).filter(({ node, gone }) => node !== self && !gone)
    return others.some(({ card }) => this.liveness(card) === 'dead')
  }

  async enlist(tx: Tx, card: NodeCard, news: News): Promise<void> {
    const gatherer = await this.#with(tx, card.node)
    const { sheet } = gatherer
    sheet.open()
    sheet.book.apply<'hello'>({ kind: 'hello', card: { ...card, proof: this.#proof } }, tx.now, [])
    await flush(tx, this.#queues, sheet, news)
    sheet.close()
  }

  async leave(tx: Tx, node: string, news: News): Promise<void> {
    const gatherer = await this.#with(tx, node)
    const { sheet } = gatherer
    tx.spread({ of: 'nodes', scope: this.#queues.scope, nodes: [node] })
    await gatherer.held(await tx.each('node.held', [this.#queues.scope, MOST_HELD], [[node]]))
    sheet.open()
    sheet.book.apply<'leave'>({ kind: 'leave', node }, tx.now, [])
    await flush(tx, this.#queues, sheet, news)
    sheet.close()
  }

  async beat(tx: Tx, beat: Beat, news: News): Promise<BeatAnswer> {
    const { scope } = this.#queues
    const { node, upTo, open } = beat
    const overdue = beat.overdue.map(tokenOf)
    tx.spread({ of: 'claims', scope, node, upTo, open })
    const lost = await tx.all('node.lost', [scope, node, upTo, open])
    if (lost.length === 0) {
      const alive = await tx.all('node.beat', [scope, node, tx.now, toText(overdue)])
      return { gone: alive.length === 0 }
    }
    const gatherer = await this.#with(tx, node)
    const { sheet } = gatherer
    await gatherer.held(lost)
    sheet.open()
    const frame = { kind: 'beat', node, upTo, open, overdue } as const
    const isKnown = sheet.book.apply<'beat'>(frame, tx.now, [])
    await flush(tx, this.#queues, sheet, news)
    sheet.close()
    return { gone: !isKnown }
  }

  async check(tx: Tx, ask: CheckAsk): Promise<Checked> {
    const holds = await tx.all('node.holds', [this.#queues.scope, ask.node])
    const flags = new Map(holds.map((row) => [row.token, row.flags]))
    const lost: string[] = []
    const cancelling: string[] = []
    for (const { token } of ask.held) {
      const known = flags.get(tokenOf(token))
      if (known === undefined) lost.push(token)
      else if ((known & CANCEL_ASKED) !== 0) cancelling.push(token)
    }
    const node = await this.find(tx, ask.node)
    const [{ rules }] = await tx.all('rules', [])
    return { gone: node === null || node.gone, lost, cancelling, rules }
  }

  async #with(tx: Tx, node: string): Promise<Gatherer> {
    const gatherer = new Gatherer(tx, this.#queues, 'beside')
    const facts = await this.find(tx, node)
    if (facts !== null) gatherer.sheet.nodes.push(facts)
    return gatherer
  }
}

/** More than any node holds. */
const MOST_HELD = 1_000_000

export function factsOf(row: Asked['node.all']): NodeFacts {
  const { node, card, started_at: startedAt, beats, last_beat: lastBeat, overdue, gone } = row
  return {
    node,
    card: fromText<Card>(card),
    startedAt,
    beats,
    lastBeat,
    overdue: fromText<number[]>(overdue),
    gone: gone === 1,
  }
}
