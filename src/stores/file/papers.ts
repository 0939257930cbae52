/**
 * The papers that an extra refers to, and the same extra when they have been moved. Knows the shape
 * of extras and of addresses; where papers are moved to, and why, is for compaction to say.
 */
import type { Extra, Paper, Parent, Past } from '../../job/book/extra.js'
import type { Address } from './file-shelf.js'

/** The papers of an extra, but for those that others have, too. */
export function papersOf(extra: Extra): Address[] {
  const papers: unknown[] = [extra.payload, extra.result]
  for (const { paper } of extra.history) papers.push(paper)
  for (const { paper } of extra.origin?.history ?? []) papers.push(paper)
  for (const { paper } of extra.log) papers.push(paper)
  for (const { paper } of extra.steps?.kept ?? []) papers.push(paper)
  return papers.filter((paper) => paper != null) as Address[] // this store's shelf made them
}

/** Its parents' results. */
export function inherited({ kin }: Extra): Address[] {
  const papers = kin?.parents.map(({ result }) => result) ?? []
  return papers.filter((paper) => paper !== null) as Address[] // this store's shelf made them
}

/** The same extra with its papers where they are now. */
export function relocated(extra: Extra, here: (address: number) => number): Extra {
  const paper = (one: Paper): Paper => {
    const { kind, at, length } = one as Address // this store's shelf made it
    return { kind, at: here(at), length }
  }
  const past = (one: Past): Past => {
    return { ...one, paper: one.paper && paper(one.paper) }
  }
  const parent = (one: Parent): Parent => {
    return { ...one, result: one.result && paper(one.result) }
  }
  const { origin, kin, steps } = extra
  return {
    ...extra,
    payload: extra.payload && paper(extra.payload),
    result: extra.result && paper(extra.result),
    history: extra.history.map(past),
    kin: kin && { ...kin, parents: kin.parents.map(parent) },
    origin: origin && { ...origin, history: origin.history.map(past) },
    log: extra.log.map((one) => ({ ...one, paper: paper(one.paper) })),
    steps: steps && {
      ...steps,
      kept: steps.kept.map((one) => ({ ...one, paper: paper(one.paper) })),
    },
  }
}
