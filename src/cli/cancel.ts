/** `millrace cancel`: ends jobs that wait, and asks those that run to stop. */
import type { Command } from 'commander'
import { changeCommand } from './change.js'
import type { Shell } from './shell.js'

export function cancelCommand(program: Command, shell: Shell): void {
  changeCommand(program, shell, {
    verb: 'cancel',
    done: 'cancelled',
    untouched: 'unknown, final already, or asked before',
    summary: 'End jobs that wait; ask those that run to stop',
    about: `End jobs that wait; ask those that run to stop.

The signal of a running job aborts within a beat of its worker (5 s by default). How it ends is
its handler's word: what it completes all the same is completed.`,
  })
}
