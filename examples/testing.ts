/**
 * Testing without a network: a small discovery app, and its test on a network in memory that loses 30 % of all
 * datagrams and is split for a while. Fake timers make the seconds pass at once; the seed makes every run the same.
 * `npx tsx examples/testing.ts` prints:
 *
 *     all found: camera, printer, scanner
 *     parted: printer, scanner
 *     healed: camera, printer, scanner
 *     the same again with the same seed
 */
import assert from 'node:assert/strict'
import { mock } from 'node:test'
import { type Carrier, MulticastReceiver, MulticastSender, text } from 'typed-multicast'
import { MockNetwork } from 'typed-multicast/testing'

// The app. It takes where it runs as an argument: nothing, or a host of a mock network.

const where = { group: '239.255.29.71', port: 10005, codec: text }

/** A service, which tells its name to whoever asks. */
function serve(name: string, host: Carrier = {}): MulticastReceiver<string, string> {
  const receiver = new MulticastReceiver({ ...where, ...host })
  receiver.on('message', (_question, remote) => void receiver.reply(name, remote))
  return receiver
}

/** Asks every second who is there. Who leaves ten questions unanswered is gone. */
class Directory {
  /** How many questions each service has left unanswered since its last answer. */
  readonly #unanswered = new Map<string, number>()
  readonly #sender: MulticastSender<string, string>
  readonly #interval: NodeJS.Timeout

  constructor(host: Carrier = {}) {
    this.#sender = new MulticastSender({ ...where, ...host })
    this.#sender.on('message', (name) => this.#unanswered.set(name, 0))
    this.#interval = setInterval(() => this.#ask(), 1000)
  }

  get names(): string {
    return [...this.#unanswered.keys()].sort().join(', ')
  }

  async close(): Promise<void> {
    clearInterval(this.#interval)
    await this.#sender.close()
  }

  #ask(): void {
    for (const [name, questions] of this.#unanswered) {
      if (questions < 10) this.#unanswered.set(name, questions + 1)
      else this.#unanswered.delete(name)
    }
    // Where the network is gone for a moment, the next question may get through.
    this.#sender.send('who is there?').catch(console.error)
  }
}

// The test. With a test runner this would be the body of a test.

async function scenario(seed: number, report: (line: string) => void): Promise<unknown> {
  mock.timers.enable({ apis: ['setInterval'] })
  const network = new MockNetwork({ seed, loss: 0.3 })
  const [office, kitchen, garden] = [network.host(), network.host(), network.host()]
  const services = [serve('printer', office), serve('scanner', office), serve('camera', garden)]
  const directory = new Directory(kitchen)
  await network.settled()

  /** Lets seconds pass until the directory lists just these, or a minute is over. */
  async function expect(what: string, names: string): Promise<void> {
    for (let seconds = 0; seconds < 60 && directory.names !== names; seconds += 1) {
      mock.timers.tick(1000)
      await network.settled()
    }
    assert.equal(directory.names, names)
    report(`${what}: ${names}`)
  }

  try {
    await expect('all found', 'camera, printer, scanner')
    network.partition([office, kitchen], [garden])
    await expect('parted', 'printer, scanner')
    network.heal()
    await expect('healed', 'camera, printer, scanner')
    network.assertNothingUnexpected({ text: 'who is there?', ttl: 1 }, { to: '10.0.0.2:32768' })
    return network.journal.map(String)
  } finally {
    mock.timers.reset()
    await Promise.all([directory, ...services].map((endpoint) => endpoint.close()))
  }
}

const first = await scenario(7, console.log)
assert.deepEqual(await scenario(7, () => {}), first)
console.log('the same again with the same seed')
