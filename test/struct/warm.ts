import { type Checked, Struct } from '../../src/struct/index.js'
import { threshold } from '../../src/struct/struct.js'

/** A Struct after so many calls that code was generated for its format, where that is allowed. */
export function warm<const Format extends string>(format: Checked<Format>): Struct<Format> {
  const made = new Struct<Format>(format)
  // Refused or not, each call counts. A refusal without a stack costs no more than a few values.
  const bytes = made.size <= zeros.length ? zeros.subarray(0, made.size) : zeros
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  for (let call = 0; call < threshold; call += 1) {
    try {
      made.unpack(bytes)
    } catch {}
  }
  Error.stackTraceLimit = limit
  return made
}

const zeros = Buffer.alloc(24)

/** A format's Struct as it is made, and one much in use. */
export const both = (format: string): [cold: Struct, warm: Struct] => [
  new Struct(format),
  warm(format),
]
