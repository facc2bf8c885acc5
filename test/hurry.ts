/**
 * Loaded by mutants.ts into the process of a test file without a lab. There nothing takes seconds: whoever
 * waits for so long waits in vain, for what the mistake keeps from coming, and is told so sooner.
 */
const LONG = 5_000

const { setTimeout } = globalThis
globalThis.setTimeout = Object.assign(
  (callback: () => void, delay = 0, ...args: []) =>
    setTimeout(callback, delay < LONG ? delay : delay / 10, ...args),
  setTimeout,
)

export {}
