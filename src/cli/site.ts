/** Where the tables of a store are, by its URL, and a way to them that makes none. */
import { existsSync } from 'node:fs'
import { invalid } from '../job/check.js'
import { sqlitePathOf, storeByUrl } from '../store-url.js'
import type { Ground, Standing, Tables } from '../stores/sql/migrating.js'

export interface Site {
  readonly tables: Tables
  /** Null: looking found no place, and made none. */
  readonly within: <T>(isLooking: boolean, use: (ground: Ground) => Promise<T>) => Promise<T | null>
}

export const NOTHING: Standing = { version: 0, compatibleFrom: 0 }

/** A place that is not there. */
export const nowhere: Ground = {
  standing: async () => NOTHING,
  hasJobs: async () => false,
  alone: (work) => work(async () => undefined),
}

/** Null: a store without tables. */
export async function siteOf(url: string, schema: string | undefined): Promise<Site | null> {
  if (schema !== undefined && !/^postgres(ql)?:/i.test(url)) {
    throw invalid('--schema', 'a store in PostgreSQL', url, 'leave it out')
  }
  storeByUrl(url) // refuses what is no URL of a store; opens nothing
  const path = sqlitePathOf(url)
  if (path !== null) {
    const { PREFIX, onFile, tablesOf } = await import('../stores/sqlite/migrate.js')
    return {
      tables: tablesOf(PREFIX),
      within: async (isLooking, use) =>
        isLooking && !existsSync(path) ? null : onFile(path, isLooking, use),
    }
  }
  if (!/^postgres(ql)?:/i.test(url)) return null
  const { addressOf } = await import('../stores/postgres/address.js')
  const { onServer, placeIn, tablesOf } = await import('../stores/postgres/migrate.js')
  const address = addressOf(url, schema)
  const place = placeIn(address.schema)
  return {
    tables: tablesOf(place),
    within: (_, use) => onServer(address.url, place, use),
  }
}
