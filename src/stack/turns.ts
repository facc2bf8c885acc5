import type { AsyncResource } from 'node:async_hooks'
import { MessageChannel } from 'node:worker_threads'
import { throwUncaught } from './ticks.js'

/**
 * Turns of the event loop, one after the other and each with its microtasks run, as the kernel's news come to
 * node:dgram: what is asked for in a turn is for the coming round of the loop, after timers and immediates. Message
 * ports make them, because no fake timers replace them. A port goes on with what it is sent while it is told of
 * messages, in the same round. Of two ports the one that was made first is told first, so one that is sent
 * something while the other is told learns of that in the coming round.
 */
const { port1: beginning, port2: starter } = new MessageChannel()
const { port1: incoming, port2: outgoing } = new MessageChannel()

/** What each of the coming turns does, in their order, from `first` on. */
let tasks: (() => void)[] = []
let first = 0

/** How many of them the coming round is to have that has not begun. */
let asked = 0

/** What keeps the process alive: coming turns, and open sockets. */
let holds = 0

beginning.on('message', () => {
  for (; asked > 0; asked -= 1) outgoing.postMessage(undefined)
})
beginning.unref()
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
  asked += 1
  if (asked === 1) starter.postMessage(undefined)
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
        throwUncaught(error)
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
