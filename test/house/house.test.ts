// The house as it stands. Each rule is proved to bite in `rules.test.ts`.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import {
  brokenFloors,
  circles,
  dumpingGrounds,
  exportsWithoutFile,
  filesWithoutOwner,
  longFiles,
  pathsUnlikeExports,
  realClocks,
} from './rules.js'
import type { Manifest } from './rules.js'
import { readHouse } from './source.js'

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const house = readHouse(root('src'))
const manifest = JSON.parse(readFileSync(root('package.json'), 'utf8')) as Manifest
const project = ts.readConfigFile(root('tsconfig.json'), (path) => readFileSync(path, 'utf8'))
  .config as {
  compilerOptions: { paths: Record<string, string[]> }
}

describe('the house', () => {
  it('was read', () => expect(house.size).toBeGreaterThan(10))
  it('has imports that point down its floors', () => expect(brokenFloors(house)).toEqual([]))
  it('has no circles, not even of types', () => expect(circles(house)).toEqual([]))
  it('has a file for every export', () => expect(exportsWithoutFile(house, manifest)).toEqual([]))
  it('has an owner for every file', () => expect(filesWithoutOwner(house, manifest)).toEqual([]))
  it('has the same names for tests as for users', () => {
    expect(pathsUnlikeExports(manifest, project.compilerOptions.paths)).toEqual([])
  })
  it('has its clocks and dice handed in', () => expect(realClocks(house)).toEqual([]))
  it('has no dumping ground', () => expect(dumpingGrounds(house)).toEqual([]))
  it('has no room that is too long', () => expect(longFiles(house)).toEqual([]))
})
