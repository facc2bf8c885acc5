import { reasonOf } from '../errors.js'
import type { Remote } from '../events.js'
import { MulticastReceiver } from '../receiver.js'
import { printFrom, remark, untilEnded } from './output.js'
import { showing } from './payload.js'
import { asTyped, integerOf, interfacesOf, parsed, status, target } from './usage.js'

/** What `typed-multicast listen --help` prints. */
export const listenHelp = `Usage: typed-multicast listen GROUP PORT [options]

Joins a group and prints what arrives, one line for each datagram, until Ctrl-C.

  --text             as UTF-8 text; without a flag, text if it is UTF-8, otherwise hex
  --json             as JSON
  --hex              as hexadecimal digits
  --struct FORMAT    as the values of a Python struct format, such as '<IHf'
  --interface NAME   join only on this interface (name or address); default: all
  --source ADDRESS   hear only this sender; may be repeated
  --count N          end after N datagrams
  --timeout MS       end after MS milliseconds of silence; status 1 if nothing came
  --stats            print rates and losses on standard error every second
  --help             print this

What strangers send is printed with its control characters escaped.
`

/** Joins a group and prints what arrives. Returns the exit status. */
export async function listen(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(args, {
    text: { type: 'boolean' },
    json: { type: 'boolean' },
    hex: { type: 'boolean' },
    struct: { type: 'string' },
    interface: { type: 'string' },
    source: { type: 'string', multiple: true },
    count: { type: 'string' },
    timeout: { type: 'string' },
    stats: { type: 'boolean' },
  })
  const { group, port } = target(positionals)
  const show = showing(values)
  const count = integerOf('--count', values.count, 1, Number.MAX_SAFE_INTEGER)
  const timeout = integerOf('--timeout', values.timeout, 1, 2 ** 31 - 1)
  const receiver = asTyped(
    () =>
      new MulticastReceiver({
        group,
        port,
        interfaces: interfacesOf(values.interface, group),
        sources: values.source,
        timeout,
        // A group may be busy: what does not fit is counted, and shown by --stats.
        recvBufferSize: 2 ** 22,
      }),
  )
  let heard = 0
  receiver.on('message', (data, remote) => {
    heard += 1
    print(remote, data, show)
    if (heard === count) receiver.close()
  })
  receiver.on('timeout', () => {
    if (heard === 0) {
      const advice = `typed-multicast doctor ${group} ${port} may say why`
      remark(`nothing in ${timeout} ms; ${advice}`)
    }
    receiver.close()
  })
  untilEnded(() => receiver.close())
  const closed = new Promise<void>((resolve) => receiver.once('close', resolve))
  await receiver.ready()
  const on = receiver.memberships.map(({ interface: name }) => name).join(', ')
  remark(`listening to ${group} port ${port} on ${on || 'no interface yet'}`)
  const stats = values.stats ? setInterval(rates(receiver), 1000) : undefined
  await closed
  clearInterval(stats)
  return heard === 0 && timeout !== undefined ? status.bad : status.good
}

function print(remote: Remote, data: Buffer, show: (data: Buffer) => string): void {
  let shown: string
  try {
    shown = show(data)
  } catch (error) {
    shown = `${data.toString('hex')} (${reasonOf(error)})`
  }
  printFrom(remote, shown)
}

/** Prints what has come since it was called last. */
function rates(receiver: MulticastReceiver): () => Promise<void> {
  let before = receiver.stats
  return async () => {
    const now = receiver.stats
    const lost = await receiver.kernelDrops()
    const messages = now.received - before.received
    const bytes = now.bytesReceived - before.bytesReceived
    before = now
    const kernel = lost === undefined ? '' : `, by the kernel ${lost}`
    console.error(`${messages} datagrams/s, ${bytes} bytes/s, dropped ${now.dropped}${kernel}`)
  }
}
