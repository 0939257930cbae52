/** A parameter as it stands in SQL, for statements that are explained. */
export function literal(value: unknown): string {
  if (value === null) return 'NULL'
  if (!Array.isArray(value))
    return typeof value === 'number' ? String(value) : `'${value as string}'` // as: parameters are no objects
  return `'{${value.map((one: unknown) => (one === null ? 'NULL' : JSON.stringify(one))).join()}}'`
}
