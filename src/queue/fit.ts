/** Whether a payload fits its input schema, asked before it is stored. */
import { millraceError } from '../job/errors.js'
import { check, objection } from '../job/schema.js'
import type { Schema } from '../job/schema.js'

/**
 * Throws PAYLOAD_INVALID with the schema's first objection and its path. The raw input is what is
 * stored, so what the schema gives out is not looked at.
 */
export async function fit(input: Schema, payload: unknown, subject: string): Promise<void> {
  const checked = await check(input, payload)
  if (checked.fits) return
  throw millraceError({
    code: 'PAYLOAD_INVALID',
    subject: `${subject}${checked.problem.path}`,
    expected: 'what the input schema describes',
    received: objection(checked.problem),
    remedy: 'correct the payload, or the schema',
  })
}
