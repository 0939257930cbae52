/** Numbers as they come from the words of a command. */
import { whole } from '../job/check.js'

/** A whole number; undefined when none was given. */
export function wholeNumber(
  text: string | undefined,
  option: string,
  bounds: { readonly least: number; readonly most: number },
): number | undefined {
  if (text === undefined) return undefined
  return whole(/^[+-]?\d+$/.test(text) ? Number(text) : text, option, bounds)
}
