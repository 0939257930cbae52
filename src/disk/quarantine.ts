/** Putting a file out of the way that is not what it should be: nothing is lost, and it says why. */
import type { Disk } from './disk.js'
import { encodeName } from './names.js'
import { removeIfThere, writeAll } from './place.js'

/** So much of its name is kept: with all that stands around it, it is still a name. */
const NAME_SHOWN = 100

/** Moves it into the folder for that, with a word why beside it. Answers where it is now. */
export function quarantine(
  disk: Disk,
  folders: { readonly quarantine: string },
  path: string,
  why: string,
  nonce: string,
): string {
  const name = encodeName(path.slice(path.lastIndexOf('/') + 1)).slice(0, NAME_SHOWN)
  const base = `${folders.quarantine}/${nonce}.${name}`
  let target = base
  const isFree = (): boolean => disk.facts(target) === null && disk.facts(`${target}.why`) === null
  for (let again = 2; !isFree(); again++) target = `${base}.${again}`
  // The reason is there first: whatever is found there has one.
  try {
    writeReason(disk, `${target}.why`, why)
    disk.rename(path, target)
  } catch (error) {
    removeIfThere(disk, `${target}.why`)
    throw error
  }
  return target
}

function writeReason(disk: Disk, path: string, why: string): void {
  const file = disk.create(path)
  try {
    writeAll(file, Buffer.from(`${why}\n`))
  } finally {
    file.close()
  }
}
