/**
 * A letter or a paper as text: a JSON object, one field a line, the second line a checksum of all
 * behind it. Any JSON reader reads it, `cat` shows it, an editor may change it. A payload stands in
 * it as it was given, byte for byte: who finds the checksum right takes the text of the line and
 * parses nothing.
 */
import { crc32 } from 'node:zlib'
import type { Encoded } from '../../job/codec.js'
import { plain, unplain } from '../../job/plain.js'

/** Names and JSON texts without line ends, in order. */
export class FieldWriter {
  #lines: string[] = []

  raw(name: string, json: string): void {
    this.#lines.push(`  "${name}": ${json}`)
  }

  value(name: string, value: unknown): void {
    this.raw(name, JSON.stringify(value))
  }

  /** The same for what may say `Infinity`. */
  endless(name: string, value: unknown): void {
    this.raw(name, plain(value))
  }

  /** `name` when it is JSON, `name+rich` when it carries marks, `name+text` when it is no line. */
  encoded(name: string, { text, codec }: Encoded): void {
    if (!isLine(text)) this.raw(`${name}+text`, JSON.stringify([codec, text]))
    else if (codec === 'json') this.raw(name, text)
    else this.raw(`${name}+rich`, text)
  }

  text(): string {
    const behind = `${this.#lines.join(',\n')}\n}\n`
    return `{\n  "check": "${checkOf(behind)}",\n${behind}`
  }
}

/** What is no value, has a line end in it or half a character would break the file for others. */
function isLine(text: string): boolean {
  return !/[\r\n]|\p{Surrogate}/u.test(text) && isJson(text)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false // it is written down as a string instead
  }
}

function checkOf(behind: string): string {
  return crc32(behind).toString(16).padStart(8, '0')
}

const FRONT = /^\{\n {2}"check": "([0-9a-f]{8})",\n/
const LINE = /^ {2}"([a-z+A-Z]+)": ([^\n]*)$/

export class Fields {
  /** False: somebody changed it, or it is damaged, and it is JSON still. */
  readonly isSound: boolean
  readonly #fields: ReadonlyMap<string, string>

  private constructor(isSound: boolean, fields: ReadonlyMap<string, string>) {
    this.isSound = isSound
    this.#fields = fields
  }

  /** Null: neither whole nor JSON. */
  static read(text: string): Fields | null {
    const match = FRONT.exec(text)
    if (match !== null && checkOf(text.slice(match[0].length)) === match[1]) {
      const fields = readLines(text.slice(match[0].length))
      if (fields !== null) return new Fields(true, fields)
    }
    const fields = readJson(text)
    return fields === null ? null : new Fields(false, fields)
  }

  has(name: string): boolean {
    return this.#fields.has(name)
  }

  /** The names of all fields but the checksum. */
  names(): string[] {
    return [...this.#fields.keys()].filter((name) => name !== 'check')
  }

  raw(name: string): string | undefined {
    return this.#fields.get(name)
  }

  /** `otherwise` where there is no such field. What it is, the writer knows. */
  value<T>(name: string, otherwise: T): T {
    const json = this.#fields.get(name)
    return json === undefined ? otherwise : (JSON.parse(json) as T) // as: the same format wrote it
  }

  endless<T>(name: string, otherwise: T): T {
    const json = this.#fields.get(name)
    return json === undefined ? otherwise : (unplain(json) as T) // as: the same format wrote it
  }

  encoded(name: string): Encoded | null {
    const json = this.#fields.get(name)
    if (json !== undefined) return { text: json, codec: 'json' }
    const rich = this.#fields.get(`${name}+rich`)
    if (rich !== undefined) return { text: rich, codec: 'rich' }
    const text = this.#fields.get(`${name}+text`)
    if (text === undefined) return null
    const [codec, said] = JSON.parse(text) as [Encoded['codec'], string] // as `encoded` wrote it
    return { text: said, codec }
  }
}

function readLines(behind: string): Map<string, string> | null {
  if (!behind.endsWith('\n}\n')) return null
  const fields = new Map<string, string>()
  const lines = behind.slice(0, -3).split('\n')
  for (const [at, line] of lines.entries()) {
    const match = LINE.exec(line)
    if (match === null) return null
    fields.set(match[1], at === lines.length - 1 ? match[2] : match[2].slice(0, -1))
  }
  return fields
}

function readJson(text: string): Map<string, string> | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    return new Map(Object.entries(value).map(([name, one]) => [name, JSON.stringify(one)]))
  } catch {
    return null // the caller says what becomes of it
  }
}
