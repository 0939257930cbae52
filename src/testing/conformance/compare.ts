/**
 * Lays two stores side by side: the same random walk on each, step by step the same answers. One is
 * the model (the memory store, which is the book alone), the other is to be proven. All jobs are in
 * one group, so that the order of claims is wholly determined: whose turn it is among groups is
 * promised as fair, not as one certain order, and is tested as such in `order.ts`.
 */
import assert from 'node:assert/strict'
import type { OpenMedium } from './medium.js'
import { walk } from './walk.js'

export interface Comparison {
  readonly model: OpenMedium
  readonly open: OpenMedium
  readonly seed: number
  readonly steps: number
}

/** Rejects with the first step where the two part. */
export async function compareStores({ model, open, seed, steps }: Comparison): Promise<void> {
  const expected = await walk({ open: model, seed, steps, groups: [''] })
  const actual = await walk({ open, seed, steps, groups: [''] })
  const parted = expected.findIndex((line, index) => line !== actual[index])
  if (parted < 0) return void assert.equal(actual.length, expected.length)
  const before = expected.slice(Math.max(0, parted - 6), parted).join('\n')
  assert.equal(actual[parted], expected[parted], `seed ${seed} parts after\n${before}\n`)
}
