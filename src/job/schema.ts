/**
 * Schemas of the user, by the Standard Schema interface, version 1 (https://standardschema.dev):
 * whatever library made them, they are asked here and nowhere else. Millrace does not know what
 * they check; it promises to ask them at the right moments and to pass on what they say.
 */
import { invalid } from './check.js'

/** Standard Schema v1: `In` is what is given, `Out` what comes out of the check. */
export interface Schema<In = unknown, Out = In> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly types?: { readonly input: In; readonly output: Out } | undefined
    readonly validate: (value: unknown) => SchemaResult<Out> | Promise<SchemaResult<Out>>
  }
}

export type SchemaResult<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] }

export type InputOf<T extends Schema> = NonNullable<T['~standard']['types']>['input']
export type OutputOf<T extends Schema> = NonNullable<T['~standard']['types']>['output']

/** The value as the schema gives it out, or what is wrong with it. */
export type Checked =
  | { readonly fits: true; readonly value: unknown }
  | { readonly fits: false; readonly problem: Problem }

/** What a schema objects to first, and where. */
export interface Problem {
  /** Like `.to[2].name`; '' for the whole. */
  readonly path: string
  readonly message: string
  /** How many objections there are in all. */
  readonly count: number
}

/** A schema as it was given in options; refused when it is none. */
export function schemaOf(value: unknown, subject: string): Schema | null {
  if (value === undefined) return null
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  if (isObject && '~standard' in value) {
    const standard = value['~standard'] as { validate?: unknown } | null // as: looked at below
    if (typeof standard?.validate === 'function') return value as Schema // as: it has what we call
  }
  throw invalid(subject, 'a Standard Schema (zod, valibot, arktype …)', value)
}

/** Asks the schema. Answers at once when it does; a throw of the schema's is the caller's to see. */
export function check(schema: Schema, value: unknown): Checked | Promise<Checked> {
  const result = schema['~standard'].validate(value)
  return result instanceof Promise ? result.then(read) : read(result)
}

/** A schema's first objection, in words. Where it objects is in `path`. */
export function objection({ message, count }: Problem): string {
  return count > 1 ? `${message} (and ${count - 1} more)` : message
}

function read(result: SchemaResult<unknown>): Checked {
  if (result.issues === undefined) return { fits: true, value: result.value }
  const [first] = result.issues
  const message = first?.message ?? 'it does not fit'
  const problem = { path: pathOf(first), message, count: result.issues.length }
  return { fits: false, problem }
}

/** The path of an objection, where the library tells one. */
function pathOf(issue: object | undefined): string {
  const path = issue !== undefined && 'path' in issue ? issue.path : undefined
  if (!Array.isArray(path)) return ''
  return path.map((step: unknown) => spelled(keyOf(step))).join('')
}

function keyOf(step: unknown): unknown {
  return typeof step === 'object' && step !== null && 'key' in step ? step.key : step
}

function spelled(key: unknown): string {
  if (typeof key === 'number') return `[${key}]`
  const text = String(key)
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(text) ? `.${text}` : `[${JSON.stringify(text)}]`
}
