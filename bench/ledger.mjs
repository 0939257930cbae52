// The bench's own count of runs, by job number: it believes neither queue about what was run.

export class Ledger {
  #runs
  #total = 0

  constructor(jobs) {
    this.#runs = new Uint8Array(jobs)
  }

  get total() {
    return this.#total
  }

  ran(n) {
    this.#runs[n]++
    this.#total++
  }

  /** Where it ran, in a form that can be sent to another process. */
  get runs() {
    return Buffer.from(this.#runs).toString('base64')
  }

  add(runs) {
    Buffer.from(runs, 'base64').forEach((count, n) => {
      this.#runs[n] += count
      this.#total += count
    })
  }

  /** How many of the first `jobs` never ran, and how many ran more than once. */
  verdict(jobs = this.#runs.length) {
    let missing = 0
    let repeated = 0
    for (let n = 0; n < jobs; n++) {
      if (this.#runs[n] === 0) missing++
      else if (this.#runs[n] > 1) repeated++
    }
    return { missing, repeated }
  }
}
