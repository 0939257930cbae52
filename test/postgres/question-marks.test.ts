// Placeholders become question marks, and nothing else does.
import { describe, expect, it } from 'vitest'
import { questionMarks } from '../../src/stores/postgres/question-marks.js'

describe('placeholders', () => {
  it('become question marks in the order of the text, twice where they stand twice', () => {
    expect(questionMarks('a = $2 AND b = $1 AND c = $2', ['x', 'y'])).toEqual({
      text: 'a = ? AND b = ? AND c = ?',
      params: ['y', 'x', 'y'],
    })
  })

  it('keep the casts behind them, and are read with all their digits', () => {
    const params = Array.from({ length: 12 }, (_, n) => n + 1)
    expect(questionMarks('unnest($1::text[], $12::int8[])', params)).toEqual({
      text: 'unnest(?::text[], ?::int8[])',
      params: [1, 12],
    })
  })

  it.each([
    ["a string: '$1 ''$1'", "a string: '$1 ''$1'"],
    ["E'\\'$1' || e'\\\\'", "E'\\'$1' || e'\\\\'"],
    ['a "name $1 ""$1"', 'a "name $1 ""$1"'],
    ['$$ $1 $$', '$$ $1 $$'],
    ['$body$ $1 $$ $1 $other$ $body$', '$body$ $1 $$ $1 $other$ $body$'],
    ['-- $1\n', '-- $1\n'],
    ['/* $1 /* $1 */ $1 */', '/* $1 /* $1 */ $1 */'],
    ['/* $1 without an end', '/* $1 without an end'],
    ['a$1 is a name', 'a$1 is a name'],
  ])('are left alone in %s', (text, same) => {
    expect(questionMarks(`${text} , $1`, ['x'])).toMatchObject(
      text.includes('without an end')
        ? { text: `${same} , $1`, params: [] }
        : { text: `${same} , ?`, params: ['x'] },
    )
  })

  it('stand behind all of these', () => {
    const text = `SELECT '$1', "$1", $$ $1 $$, /* $1 */ $1 -- $1`
    expect(questionMarks(text, ['x']).params).toEqual(['x'])
  })

  it('leave question marks that are there as question marks', () => {
    expect(questionMarks("meta ? $1 AND x = '?' AND y ?| $2", ['k', ['a']])).toEqual({
      text: "meta \\? ? AND x = '\\?' AND y \\?| ?",
      params: ['k', ['a']],
    })
  })

  it('are refused when there is no parameter, and a backslash before a question mark is', () => {
    expect(() => questionMarks('$2', ['x'])).toThrow(RangeError)
    expect(() => questionMarks('$0', ['x'])).toThrow(RangeError)
    expect(() => questionMarks("E'\\?'", [])).toThrow(RangeError)
  })
})
