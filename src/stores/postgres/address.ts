/**
 * Where a store in PostgreSQL lies: the schema is named beside the URL, or in it (`?schema=jobs`), so
 * that whoever knows a store by its URL alone, as the command line does, comes to it. The driver is not
 * shown that part: it would pass over it.
 */
import { invalid } from '../../job/check.js'

export interface Address {
  readonly url: string
  readonly schema: string
}

/** Where no other was named. */
export const SCHEMA = 'millrace'

/** Throws OPTION_INVALID where the two name different ones. */
export function addressOf(url: string, schema?: string): Address {
  const parsed = URL.canParse(url) ? new URL(url) : null
  const named = parsed?.searchParams.get('schema') ?? null
  if (parsed === null || named === null) return { url, schema: schema ?? SCHEMA }
  if (named === '' || named !== (schema ?? named)) {
    const expected =
      schema === undefined ? 'the name of a schema' : `'${schema}', as said beside it`
    throw invalid('store URL ?schema', expected, named, 'name one schema, in one place')
  }
  parsed.searchParams.delete('schema')
  return { url: parsed.href, schema: named }
}
