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

/**
 * What is done in a turn. It must not throw. If it returns true it is done once more, in a turn of the same round,
 * after those that are coming.
 */
export type Task = () => unknown

/** What the coming round does. */
let coming: Task[] = []

/** What the present one does, in that order, from `first` on. */
let tasks: Task[] = []
let first = 0

/** What keeps the process alive: coming turns, and open sockets. */
let holds = 0

beginning.on('message', () => {
  for (const task of coming) add(task)
  coming = []
})
beginning.unref()
incoming.on('message', () => {
  const task = tasks[first] as Task
  first += 1
  if (first === tasks.length) {
    tasks = []
    first = 0
  }
  if (task() === true) add(task)
})
incoming.unref()

function add(task: Task): void {
  tasks.push(task)
  outgoing.postMessage(undefined)
}

/** Runs `task` in a turn of its own in the coming round, after those that were asked for before. */
export function turn(task: Task): void {
  hold()
  if (coming.push(holding) === 1) starter.postMessage(undefined)
  function holding(): boolean {
    release()
    const goesOn = task() === true
    if (goesOn) hold()
    return goesOn
  }
}

/**
 * The same in the asynchronous context of `scope`, where it may throw: what it throws is uncaught there, as from a
 * callback of node:dgram.
 */
export function turnIn(scope: AsyncResource, task: Task): void {
  turn(() =>
    scope.runInAsyncScope(() => {
      try {
        return task()
      } catch (error) {
        return throwUncaught(error)
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
