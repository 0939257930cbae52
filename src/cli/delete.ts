/** `millrace delete`: removes jobs for good. */
import type { Command } from 'commander'
import { changeCommand } from './change.js'
import type { Shell } from './shell.js'

export function deleteCommand(program: Command, shell: Shell): void {
  changeCommand(program, shell, {
    verb: 'delete',
    done: 'deleted',
    untouched: 'unknown, or running: cancel these first',
    summary: 'Remove jobs for good',
    about: 'Remove jobs for good, in any state but running: cancel those first.',
  })
}
