/**
 * The flags of this process that its isolates inherit: loaders, conditions and the like are as
 * needed there as here. What belongs to this process alone stays here: its program (`--eval`), its
 * debugger's port, its heap limit (which is handed on in another way).
 */

const OWN = /^--(inspect|debug|input-type|test|watch|max[-_]old[-_]space[-_]size)/
/** The argument that follows belongs to them. */
const WITH_VALUE =
  /^(-e|--eval|-p|--print|-pe|--(input-type|(inspect|debug)-port|watch-path|test-.+))$/
/** What a thread can be given by itself; V8's own flags hold for all threads anyway. */
const FOR_THREADS = /^(-r|-C|--(require|import|loader|experimental-loader|conditions))(=|$)/

/** For a process. */
export function processFlags(given: readonly string[]): readonly string[] {
  const flags: string[] = []
  for (let at = 0; at < given.length; at++) {
    const flag = given[at]
    if (WITH_VALUE.test(flag)) at++
    else if (!OWN.test(flag)) flags.push(flag)
  }
  return flags
}

/**
 * For a thread; undefined: all of them. A thread cannot be begun with `--input-type`, which it
 * would inherit from a program that was given by `--eval`.
 */
export function threadFlags(given: readonly string[]): readonly string[] | undefined {
  if (!given.some((flag) => flag.startsWith('--input-type'))) return undefined
  const flags: string[] = []
  for (let at = 0; at < given.length; at++) {
    const flag = given[at]
    if (!FOR_THREADS.test(flag)) continue
    flags.push(flag)
    if (!flag.includes('=')) flags.push(given[++at])
  }
  return flags
}
