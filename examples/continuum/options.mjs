// What was said on the command line.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

export function readOptions() {
  const { store, seconds, rate } = readWords()
  const place = store ?? `maildir:${mkdtempSync(join(tmpdir(), 'millrace-continuum-'))}`
  if (!place.startsWith('maildir:')) refuse('--store: this is about maildir:')
  const folder = resolve(place.slice('maildir:'.length).split('?')[0])
  return { place, folder, seconds: above0('seconds', seconds), rate: above0('rate', rate) }
}

function readWords() {
  try {
    return parseArgs({
      options: {
        store: { type: 'string' },
        seconds: { type: 'string', default: '60' },
        rate: { type: 'string', default: '500' },
      },
    }).values
  } catch (error) {
    return refuse(error.message)
  }
}

function above0(name, text) {
  const number = Number(text)
  return number > 0 ? number : refuse(`--${name}: give a number above 0, not ${text}`)
}

function refuse(why) {
  console.error(why)
  process.exit(2)
}
