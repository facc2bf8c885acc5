import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { MulticastSender } from '../sender.js'
import { printFrom, remark, untilEnded } from './output.js'
import { packed, showing } from './payload.js'
import { asTyped, integerOf, interfacesOf, parsed, status, target, UsageError } from './usage.js'

/** What `typed-multicast send --help` prints. */
export const sendHelp = `Usage: typed-multicast send GROUP PORT MESSAGE... [options]

Sends each MESSAGE to a group as one datagram; - stands for standard input, one datagram for each line.

  --struct FORMAT    one datagram of a Python struct format, such as '<IHf': each MESSAGE is one value
  --interface NAME   send only through this interface (name or address); default: all
  --ttl N            how many networks a datagram may cross, 0 to 255; default 1
  --count N          send everything N times; default 1
  --interval MS      milliseconds between one time and the next; default 1000
  --wait MS          print replies until MS milliseconds of silence; status 1 if none came
  --help             print this

A MESSAGE that begins with -, such as a negative value, goes after --, which comes after all options:

  typed-multicast send 239.1.2.3 10000 --struct '<hf' -- -1 3.5
`

/** Sends datagrams to a group. Returns the exit status. */
export async function send(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(args, {
    struct: { type: 'string' },
    interface: { type: 'string' },
    ttl: { type: 'string' },
    count: { type: 'string' },
    interval: { type: 'string' },
    wait: { type: 'string' },
  })
  const words = positionals.slice(2)
  const { group, port } = target(positionals.slice(0, 2))
  const count = integerOf('--count', values.count, 1, Number.MAX_SAFE_INTEGER) ?? 1
  const interval = integerOf('--interval', values.interval, 0, 2 ** 31 - 1) ?? 1000
  const wait = integerOf('--wait', values.wait, 1, 2 ** 31 - 1)
  if (words.length === 0)
    throw new UsageError('MESSAGE is missing: a text, or - for standard input')
  const isInput = values.struct === undefined && words.length === 1 && words[0] === '-'
  if (isInput && count > 1)
    throw new UsageError('standard input can be sent once: leave --count out')
  const messages = values.struct === undefined ? words : [packed(values.struct, words)]
  const sender = asTyped(
    () =>
      new MulticastSender({
        group,
        port,
        interfaces: interfacesOf(values.interface, group),
        followInterfaces: false,
        ttl: integerOf('--ttl', values.ttl, 0, 255),
        timeout: wait,
      }),
  )
  const ended = new AbortController()
  untilEnded(() => ended.abort())
  let sent = 0
  let heard = 0
  const show = showing({})
  sender.on('message', (data, remote) => {
    heard += 1
    printFrom(remote, show(data))
  })
  const silent = new Promise<void>((resolve) => sender.once('timeout', resolve))
  const aborted = new Promise<void>((resolve) =>
    ended.signal.addEventListener('abort', () => resolve()),
  )
  try {
    await sender.ready()
    const all = isInput ? createInterface({ input: process.stdin, signal: ended.signal }) : messages
    for (let left = count; left > 0 && !ended.signal.aborted; left -= 1) {
      for await (const message of all) {
        const bytes = await sender.send(message)
        sent += 1
        const size = bytes === 1 ? '1 byte' : `${bytes} bytes`
        remark(`sent ${size} through ${sender.interfaces.join(', ')}`)
      }
      if (left > 1)
        await Promise.race([delay(interval, undefined, { signal: ended.signal }), aborted]).catch(
          () => {},
        )
    }
    if (sent === 0 && !ended.signal.aborted) {
      console.error('Standard input has no line: nothing was sent')
      return status.bad
    }
    if (wait !== undefined) await Promise.race([silent, aborted])
  } finally {
    await sender.close()
  }
  if (wait === undefined || heard > 0) return status.good
  if (!ended.signal.aborted) remark(`no reply in ${wait} ms`)
  return status.bad
}
