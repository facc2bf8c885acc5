/**
 * A real protocol, with types from end to end: the packets that an NTP server broadcasts (RFC 5905, mode 5). Sender
 * and receiver share one codec, a `Struct` with the format of NTP's header. So a message is the tuple that the format
 * describes: eleven values, four of them 64-bit timestamps.
 *
 * NTP uses group 224.0.1.1 and port 123. This example uses a port that needs no privileges, and nothing leaves the
 * machine. Do not set a clock by such packets: anyone can send them. Signed packets are longer than the header, and
 * need a codec that decodes with `unpackFrom`.
 *
 * It prints:
 *
 *     NTPv4 from 127.0.0.1, stratum 1 by GPS, no leap second
 *       sent 2026-12-31T23:00:00.500Z, every 64 s, set 16.5 s before
 *       precision 2^-20 s, delay 0.000 ms, dispersion 0.504 ms
 *     NTPv4 from 127.0.0.1, stratum 2 by 192.0.2.1, 61 seconds in the last minute
 *       sent 2036-02-07T06:28:16.250Z, every 1024 s, set 300.25 s before
 *       precision 2^-18 s, delay 15.625 ms, dispersion 3.998 ms
 *     malformed: unpack requires a buffer of 48 bytes
 */
import { MulticastReceiver, MulticastSender } from 'typed-multicast'
import {
  inetAton,
  inetNtoa,
  type Packable,
  Struct,
  StructError,
  type Unpacked,
} from 'typed-multicast/struct'

/**
 * Leap, version and mode in one byte; stratum; poll; precision; root delay and root dispersion; reference
 * ID; four timestamps: reference, origin, receive, transmit.
 */
const header = new Struct('!BBbb2I4s4Q')

const version = 4
const broadcast = 5
const leaps = [
  'no leap second',
  '61 seconds in the last minute',
  '59 seconds in the last minute',
  'not synchronised',
]

/** What a server has to tell. */
interface Clock {
  leap: number
  stratum: number
  /** Exponents of two, in seconds. */
  poll: number
  precision: number
  /** In seconds. */
  delay: number
  dispersion: number
  id: Uint8Array
  set: Date
  sent: Date
}

function toPacket(clock: Clock): Packable<typeof header.format> {
  return [
    (clock.leap << 6) | (version << 3) | broadcast,
    clock.stratum,
    clock.poll,
    clock.precision,
    toShort(clock.delay),
    toShort(clock.dispersion),
    clock.id,
    toTimestamp(clock.set),
    0n,
    0n,
    toTimestamp(clock.sent),
  ]
}

function describe(packet: Unpacked<typeof header.format>, server: string): string[] {
  const [first, stratum, poll, precision, delay, dispersion, id, set, , , sent] = packet
  if ((first & 7) !== broadcast) return [`no broadcast, but mode ${first & 7}, from ${server}`]
  // What a stranger sends is not printed as it is.
  const source = stratum > 1 ? inetNtoa(id) : id.toString('latin1').replace(/\W/g, '')
  const age = (toDate(sent).getTime() - toDate(set).getTime()) / 1000
  return [
    `NTPv${(first >> 3) & 7} from ${server}, stratum ${stratum} by ${source}, ${leaps[first >> 6]}`,
    `  sent ${toDate(sent).toISOString()}, every ${2 ** poll} s, set ${age} s before`,
    `  precision 2^${precision} s, delay ${milliseconds(delay)}, dispersion ${milliseconds(dispersion)}`,
  ]
}

/** Seconds as 16.16 fixed point. */
function toShort(seconds: number): number {
  return Math.round(seconds * 2 ** 16)
}

function milliseconds(short: number): string {
  return `${((short / 2 ** 16) * 1000).toFixed(3)} ms`
}

/** Milliseconds from 1900, where NTP begins to count, to 1970, where Date does. */
const epoch = 2_208_988_800_000n

/** Seconds as 32.32 fixed point, which start again at 0 every 136 years. */
function toTimestamp(date: Date): bigint {
  return BigInt.asUintN(64, ((BigInt(date.getTime()) + epoch) << 32n) / 1000n)
}

function toDate(timestamp: bigint): Date {
  // The upper half of the numbers is 1968 to 2036, the lower half what follows.
  const seconds = timestamp < 2n ** 63n ? timestamp + 2n ** 64n : timestamp
  // Half of a unit more, to round.
  return new Date(Number(((seconds * 1000n + 2n ** 31n) >> 32n) - epoch))
}

const network = { group: '224.0.1.1', port: 10005, interfaces: '127.0.0.1' }
const server = new MulticastSender({ ...network, codec: header })
const stranger = new MulticastSender(network)
const receiver = new MulticastReceiver({ ...network, codec: header })

receiver.on('message', (packet, remote) => {
  for (const line of describe(packet, remote.address)) console.log(line)
})

receiver.on('malformed', ({ cause }) => {
  if (cause instanceof StructError) console.log(`malformed: ${cause.message}`)
  for (const endpoint of [server, stranger, receiver]) endpoint.close()
})

await receiver.ready()
await server.send(
  toPacket({
    leap: 0,
    stratum: 1,
    poll: 6,
    precision: -20,
    delay: 0,
    dispersion: 0.0005,
    id: Buffer.from('GPS'),
    set: new Date('2026-12-31T22:59:44.000Z'),
    sent: new Date('2026-12-31T23:00:00.500Z'),
  }),
)
await server.send(
  toPacket({
    leap: 1,
    stratum: 2,
    poll: 10,
    precision: -18,
    delay: 0.015625,
    dispersion: 0.004,
    id: inetAton('192.0.2.1'),
    set: new Date('2036-02-07T06:23:16.000Z'),
    sent: new Date('2036-02-07T06:28:16.250Z'),
  }),
)
await stranger.send('not a time')
