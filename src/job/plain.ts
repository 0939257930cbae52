/**
 * Plain data as JSON, with the one number that settings are fond of and JSON does not know.
 */

const ENDLESS = '∞'

/** JSON that keeps `Infinity`, of which settings are fond; a text that begins like it is marked. */
export function plain(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => {
    if (one === Infinity) return ENDLESS
    return typeof one === 'string' && one.startsWith(ENDLESS) ? ENDLESS + one : one
  })
}

export function unplain(text: string): unknown {
  return JSON.parse(text, (_, one: unknown) => {
    if (one === ENDLESS) return Infinity
    return typeof one === 'string' && one.startsWith(ENDLESS) ? one.slice(ENDLESS.length) : one
  })
}
