import type { AsyncResource } from 'node:async_hooks'
import { MessageChannel } from 'node:worker_threads'
import { tick } from './ticks.js'

/**
 * Turns of the event loop, one after the other and each with its microtasks run, as the kernel's news
 * come to node:dgram. A message port makes them, because no fake timers replace it, and because a
 * turn costs half of what it does by `setImmediate`.
 */
const { port1: incoming, port2: outgoing } = new MessageChannel()

/** What each of the coming turns does, in their order, from `first` on. */
let tasks: (() => void)[] = []
let first = 0

/** What keeps the process alive: coming turns, and open sockets. */
let holds = 0

incoming.on('message', () => {
  const task = tasks[first] as () => void
  first += 1
  // What has run is let go of, many at a time: there may always be others.
  if (first * 2 >= tasks.length) {
    tasks = tasks.slice(first)
    first = 0
  }
  task()
})
incoming.unref()

/** Runs `task` in a turn of its own, after those that were asked for before. It must not throw. */
export function turn(task: () => void): void {
  hold()
  idleTurn(() => {
    release()
    task()
  })
}

/** The same, for what the process need not be kept alive for. */
export function idleTurn(task: () => void): void {
  tasks.push(task)
  outgoing.postMessage(undefined)
}

/**
 * The same in the asynchronous context of `scope`, where it may throw: what it throws is uncaught there, as from a
 * callback of node:dgram.
 */
export function turnIn(scope: AsyncResource, task: () => void): void {
  turn(() =>
    scope.runInAsyncScope(() => {
      try {
        task()
      } catch (error) {
        tick(() => {
          throw error
        })
      }
    }),
  )
}

/** Keeps the process alive until {@link release} is called as often. */
export function hold(): void {
  if (holds === 0) incoming.ref()
  holds += 1
}

export function release(): void {
  holds -= 1
  if (holds === 0) incoming.unref()
}
