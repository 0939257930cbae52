// Which flags of a process its isolates inherit.
import { describe, expect, it } from 'vitest'
import { processFlags, threadFlags } from '../../src/worker/isolate/flags.js'

describe('the flags that isolates inherit', () => {
  it.each([
    [
      ['--import', 'tsx', '--conditions=dev'],
      ['--import', 'tsx', '--conditions=dev'],
    ],
    [['--input-type=module', '-e', 'console.log(1)'], []],
    [
      ['--input-type', 'module', '--eval', '1', '-r', './x.cjs'],
      ['-r', './x.cjs'],
    ],
    [['--inspect=9229', '--inspect-port', '0', '--enable-source-maps'], ['--enable-source-maps']],
    [['--max-old-space-size=96', '--max_old_space_size=96'], []],
    [['--watch', '--watch-path', 'src', '--test'], []],
  ])('hand on loaders, and keep what is of this process alone: %j', (given, flags) => {
    expect(processFlags(given)).toEqual(flags)
  })

  it('are all inherited by a thread, unless one of them would keep it from beginning', () => {
    expect(threadFlags(['--import', 'tsx', '--expose-gc'])).toBeUndefined()
    const given = ['--expose-gc', '--input-type=module', '--import', 'tsx', '-C=dev', '-e', '1']
    expect(threadFlags(given)).toEqual(['--import', 'tsx', '-C=dev'])
  })
})
