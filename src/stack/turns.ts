import type { AsyncResource } from 'node:async_hooks'
import { performance } from 'node:perf_hooks'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { throwUncaught } from './ticks.js'

/**
 * Turns of the event loop, one after the other and each with its microtasks run, as the kernel's news come to
 * node:dgram: what is asked for in one round of the loop comes as the loop polls for the next time, after timers and
 * immediates. Message ports make them, because no fake timers replace them. Ports that are made together are told
 * in that order, each of all that it is sent meanwhile.
 *
 * `incoming` is told of each turn, and `beginning` of a round. Who is called earlier in the same poll, as of a file, may
 * ask just before `beginning` is told. That is for the next round, so each task has the number of the round in which it
 * was asked for. Of what is left then `again` is told: it was made earlier, and so it comes in the next round, where
 * `beginning`, sent to itself, would be told in this one.
 */
const { port1: again, port2: toAgain } = new MessageChannel()
const { port1: beginning, port2: toBeginning } = new MessageChannel()
const { port1: incoming, port2: outgoing } = new MessageChannel()

/** Taken before anybody puts a fake in its place. */
const { nodeTiming } = performance

/** The number of the round: libuv counts up just before it polls. */
const thisRound = (): number => nodeTiming.uvMetricsInfo.loopCount

/**
 * What is done in a turn. It must not throw. If it returns true it is done once more, in a turn of the same round,
 * after those that are coming.
 */
export type Task = () => unknown

/** What coming rounds do, and in which round it was asked for. */
let coming: { readonly task: Task; readonly asked: number }[] = []

/** What the present one does, in that order, from `first` on. */
let tasks: Task[] = []
let first = 0

/** What keeps the process alive: who waits for a turn, and open sockets. */
let holds = 0

beginning.on('message', () => begin(toAgain))
again.on('message', () => begin(toBeginning))
incoming.on('message', () => {
  const task = tasks[first] as Task
  first += 1
  if (first === tasks.length) {
    tasks = []
    first = 0
  }
  if (task() === true) add(task)
})
for (const port of [again, beginning, incoming]) port.unref()

/** Begins with what was asked for before this round, and leaves the rest to the next, which the other port begins. */
function begin(other: MessagePort): void {
  const round = thisRound()
  const due = coming.filter(({ asked }) => asked !== round)
  coming = coming.slice(due.length)
  for (const { task } of due) add(task)
  if (coming.length > 0) other.postMessage(undefined)
}

function add(task: Task): void {
  tasks.push(task)
  outgoing.postMessage(undefined)
}

/**
 * Runs `task` in a turn of its own in the coming round, after those that were asked for before. That keeps no process
 * alive, as what is on its way to a socket of the kernel's does not: see {@link Hold}.
 */
export function turn(task: Task): void {
  if (coming.push({ task, asked: thisRound() }) === 1) toBeginning.postMessage(undefined)
}

/** The same for a caller that waits for it: it keeps the process alive until then. */
export function heldTurn(task: () => void): void {
  const hold = new Hold()
  hold.set(true)
  turn(() => {
    hold.set(false)
    task()
  })
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

/** Keeps the process alive while it is set to true. */
export class Hold {
  #isSet = false

  set(isSet: boolean): void {
    if (isSet === this.#isSet) return
    this.#isSet = isSet
    holds += isSet ? 1 : -1
    if (holds > 0) incoming.ref()
    else incoming.unref()
  }
}
