/**
 * DNS messages (RFC 1035, with the meaning that RFC 6762 gives two of their bits), packed with `Struct`. This is
 * the codec of mdns.ts, not a program.
 *
 * It knows the records that are needed to find services, and keeps the bytes of others. The package dns-packet
 * knows many more.
 */
import type { Codec } from 'typed-multicast'
import { inetNtop, inetPton, pack, Struct } from 'typed-multicast/struct'

/** The labels of a name. A label may hold dots and spaces: the name of a service often does. */
export type Name = readonly string[]

export interface Question {
  name: Name
  /** A type of record, or `'ANY'`. Of types without a name here its number. */
  type: string | number
  /** Whether the answer may be unicast ("QU"). */
  unicast?: boolean
}

/** What a record holds, by its type. */
export type RecordData =
  | { type: 'A' | 'AAAA'; address: string }
  | { type: 'PTR'; target: Name }
  | { type: 'SRV'; priority: number; weight: number; port: number; target: Name }
  | { type: 'TXT'; texts: readonly string[] }
  | { type: number; data: Buffer }

export type DnsRecord = RecordData & {
  name: Name
  /** Seconds that it may be kept. 0 takes it back. */
  ttl: number
  /** Whether it takes the place of all that was known of its name and type ("cache-flush"). */
  flush?: boolean
}

export interface DnsMessage {
  /** 0, but for questions of resolvers that know nothing of multicast. */
  id?: number
  isResponse: boolean
  questions: readonly Question[]
  answers: readonly DnsRecord[]
  additionals?: readonly DnsRecord[]
}

/** ID, flags, and how many questions, answers, authorities and additional records follow. */
const header = new Struct('!6H')
/** Type and class, behind the name of a question. */
const asked = new Struct('!2H')
/** Type, class, TTL and the length of the data, behind the name of a record. */
const told = new Struct('!2HIH')
/** Priority, weight and port. */
const service = new Struct('!3H')
const byte = new Struct('B')
const pointer = new Struct('!H')

const types = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, ANY: 255 } as const
const names = new Map<number, string>(Object.entries(types).map(([name, type]) => [type, name]))
const typeOf = (type: string | number): number => types[type as keyof typeof types] ?? Number(type)

const internet = 1
/** The upper bit of the class: of a question "QU", of a record "cache-flush". */
const upper = 0x8000
/** A response, of one who has authority. */
const response = 0x8400
/** Not 0 in what is neither a question nor an answer. */
const opcodeAndError = 0x780f

/** One after the other, each from where the one before has ended. */
class Reader {
  readonly #data: Buffer
  at = 0

  constructor(data: Buffer) {
    this.#data = data
  }

  take<const Format extends string>(struct: Struct<Format>) {
    const values = struct.unpackFrom(this.#data, this.at)
    this.at += struct.size
    return values
  }

  bytes(length: number): Buffer {
    const end = this.at + length
    if (end > this.#data.length) throw new RangeError('the message ends too early')
    const bytes = this.#data.subarray(this.at, end)
    this.at = end
    return bytes
  }

  string(): string {
    return this.bytes(this.take(byte)[0]).toString()
  }

  /** The end of a name may be elsewhere: two upper bits that are set make a pointer to before it. */
  name(): Name {
    const labels: string[] = []
    let size = 0
    let end: number | undefined
    for (let start = this.at; ; ) {
      const length = this.#data[this.at] ?? 0
      if (length >= 0xc0) {
        const target = this.take(pointer)[0] & 0x3fff
        end ??= this.at
        // So it comes to an end, whoever has sent it.
        if (target >= start) throw new RangeError('a name points forward')
        this.at = start = target
        continue
      }
      size += length + 1
      if (length > 63 || size > 255) throw new RangeError('a name is too long')
      const label = this.string()
      if (length === 0) break
      labels.push(label)
    }
    this.at = end ?? this.at
    return labels
  }

  question(): Question {
    const name = this.name()
    const [type, klass] = this.take(asked)
    return { name, type: names.get(type) ?? type, unicast: klass >= upper }
  }

  record(): DnsRecord {
    const name = this.name()
    const [type, klass, ttl, length] = this.take(told)
    const end = this.at + length
    const data = this.#recordData(type, length)
    if (this.at !== end) throw new RangeError(`a record of type ${type} has another length`)
    return { name, ttl, flush: klass >= upper, ...data }
  }

  #recordData(type: number, length: number): RecordData {
    if (type === types.A) return { type: 'A', address: inetNtop('IPv4', this.bytes(length)) }
    if (type === types.AAAA) {
      return { type: 'AAAA', address: inetNtop('IPv6', this.bytes(length)) }
    }
    if (type === types.PTR) return { type: 'PTR', target: this.name() }
    if (type === types.SRV) {
      const [priority, weight, port] = this.take(service)
      return { type: 'SRV', priority, weight, port, target: this.name() }
    }
    if (type !== types.TXT) return { type, data: this.bytes(length) }
    const texts: string[] = []
    for (const end = this.at + length; this.at < end; ) texts.push(this.string())
    return { type: 'TXT', texts }
  }

  list<Item>(count: number, read: () => Item): Item[] {
    return Array.from({ length: count }, read)
  }
}

/** A byte with the length, and then so many. */
function encodeString(text: string, limit: number): Buffer {
  const data = Buffer.from(text)
  if (data.length > limit) throw new RangeError(`'${text}' is longer than ${limit} bytes`)
  return pack(`${data.length + 1}p`, data)
}

function encodeName(name: Name): Buffer {
  return Buffer.concat([...name.map((label) => encodeString(label, 63)), Uint8Array.of(0)])
}

function encodeData(record: RecordData): Buffer {
  switch (record.type) {
    case 'A':
      return inetPton('IPv4', record.address)
    case 'AAAA':
      return inetPton('IPv6', record.address)
    case 'PTR':
      return encodeName(record.target)
    case 'SRV': {
      const { priority, weight, port, target } = record
      return Buffer.concat([service.pack(priority, weight, port), encodeName(target)])
    }
    case 'TXT':
      // None at all would be no record: it holds an empty one.
      return Buffer.concat(
        (record.texts.length > 0 ? record.texts : ['']).map((text) => encodeString(text, 255)),
      )
    default:
      return record.data
  }
}

function encodeRecord(record: DnsRecord): Buffer {
  const { name, type, ttl, flush } = record
  const data = encodeData(record)
  const klass = flush ? upper | internet : internet
  return Buffer.concat([encodeName(name), told.pack(typeOf(type), klass, ttl, data.length), data])
}

export const dns: Codec<DnsMessage> = {
  encode({ id = 0, isResponse, questions, answers, additionals = [] }) {
    const counts = [questions.length, answers.length, 0, additionals.length] as const
    return Buffer.concat([
      header.pack(id, isResponse ? response : 0, ...counts),
      ...questions.map(({ name, type, unicast }) =>
        Buffer.concat([
          encodeName(name),
          asked.pack(typeOf(type), unicast ? upper | internet : internet),
        ]),
      ),
      ...[...answers, ...additionals].map(encodeRecord),
    ])
  },
  decode(data) {
    const reader = new Reader(data)
    const [id, flags, ...counts] = reader.take(header)
    if (flags & opcodeAndError) throw new RangeError('neither a question nor an answer')
    const questions = reader.list(counts[0], () => reader.question())
    // The authorities are what somebody would like to be called: nothing to be believed.
    const [answers = [], , additionals = []] = counts
      .slice(1)
      .map((count) => reader.list(count, () => reader.record()))
    return { id, isResponse: flags >= 0x8000, questions, answers, additionals }
  },
}

/** Whether two names are the same: the case of ASCII letters does not matter. */
export function isSame(one: Name, other: Name): boolean {
  return keyOf(one) === keyOf(other)
}

/** A name as a key of a map. */
export function keyOf(name: Name): string {
  return JSON.stringify(name).replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
