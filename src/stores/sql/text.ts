/**
 * JSON as it stands in columns. JSON has no word for `Infinity`, which settings and spans say for
 * "none"; it is written as an object that nothing else is written as.
 */

const ENDLESS = 'millrace:infinity'

export function toText(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (one === Infinity ? { [ENDLESS]: true } : one))
}

/** The caller names the type: what stands in our columns was written by `toText`. */
export function fromText<T>(text: string): T {
  if (!text.includes(ENDLESS)) return JSON.parse(text) as T // as: see above
  return JSON.parse(text, (_, one: unknown) => (isEndless(one) ? Infinity : one)) as T // as: see above
}

function isEndless(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ENDLESS in value
}
