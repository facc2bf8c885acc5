// Taken before anybody puts a fake in its place.
const { nextTick } = process

/** Nobody's callback: only Node's own refuses it. A fake calls what it holds, and nothing happens. */
const noCallback = { apply() {}, call() {} }

/** Whether it is Node's own, and not a fake that was put there before. */
let isGenuine = false
try {
  nextTick(noCallback as never)
} catch (error) {
  isGenuine = (error as NodeJS.ErrnoException).code === 'ERR_INVALID_ARG_TYPE'
}

/**
 * Runs `task` by `process.nextTick`, as node:dgram runs what has been answered already, in the
 * asynchronous context of the caller. Where that is a fake it is a promise's job, which nothing fakes.
 */
export function tick(task: () => void): void {
  if (isGenuine) nextTick(task)
  else void Promise.resolve().then(task)
}

/**
 * Lets an error be uncaught in the asynchronous context of the caller, as what a callback of node:dgram throws. Not by
 * queueMicrotask(), from which node:test does not learn in which test it was.
 */
export function throwUncaught(error: unknown): void {
  tick(() => {
    throw error
  })
}
