/** The order in which sockets are read, by itself. */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { Poll } from '../../src/stack/poll.js'

/** What was read, in this order: of each socket its name. */
let read: string[]
/** What the poll has asked for. */
let asked: (() => boolean)[]
let poll: Poll

beforeEach(() => {
  read = []
  asked = []
  poll = new Poll((step) => asked.push(step))
})

/** A socket for which datagrams come and wait. */
class Ear {
  readonly #name: string
  /** Done as one is read. */
  onRead = (): void => {}
  #waiting = 0

  constructor(name: string) {
    this.#name = name
    poll.watch(this)
  }

  get isReadable(): boolean {
    return this.#waiting > 0
  }

  take(count = 1): void {
    this.#waiting += count
    poll.notice(this)
  }

  read(): void {
    assert.ok(this.isReadable, `${this.#name} is empty`)
    this.#waiting -= 1
    read.push(this.#name)
    this.onRead()
  }
}

/** What one round of the event loop reads. */
function round(): string {
  for (const step of asked.splice(0)) {
    let isMore = true
    for (let steps = 0; isMore; steps += 1) {
      assert.ok(steps < 100)
      isMore = step()
      assert.equal(typeof isMore, 'boolean')
    }
  }
  return read.splice(0).join('')
}

test('new sockets are read in the order in which they were bound, others in that of what came', () => {
  const [a, b] = [new Ear('a'), new Ear('b')]
  b.take()
  a.take()
  assert.equal(round(), 'ab')
  // A round that finds them empty forgets them.
  assert.equal(round(), '')
  b.take()
  a.take()
  assert.equal(round(), 'ba')
  a.take()
  b.take()
  assert.equal(round(), 'ba')
  assert.equal(round(), '')
  assert.equal(asked.length, 0)
})

test('a socket is read until it is empty, or 32 times, and what comes later in the next round', () => {
  const [a, b, c] = [new Ear('a'), new Ear('b'), new Ear('c')]
  a.take(33)
  b.take(2)
  b.onRead = () => {
    if (read.length === 33) a.take()
    if (read.length === 34) c.take()
  }
  assert.equal(round(), `${'a'.repeat(32)}bb`)
  assert.equal(round(), 'aac')
  a.onRead = () => {
    if (read.length === 1) a.take()
  }
  a.take()
  assert.equal(round(), 'aa')
})
