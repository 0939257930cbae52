// The job that every subject gets: about 100 bytes of JSON, with a number of its own to be counted by.

/** @param {number} n @returns {{ n: number, to: string, subject: string, at: number }} */
export function payload(n) {
  return {
    n,
    to: 'ada.lovelace@example.com',
    subject: 'Your order is on its way today',
    at: 1764e9,
  }
}

export function payloads(from, count) {
  return Array.from({ length: count }, (_, at) => payload(from + at))
}
