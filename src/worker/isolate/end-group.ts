/**
 * The end of an isolate's process and of all that it started. For use inside of it: there, group 0
 * is its own, since `process-cell.ts` put it at the head of one.
 */
export function endGroup(): void {
  process.kill(process.platform === 'win32' ? process.pid : 0, 'SIGKILL')
}
