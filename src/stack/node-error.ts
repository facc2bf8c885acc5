import { inspect } from 'node:util'

// Node's own errors, which say what is wrong with a call before the kernel hears of it.

/** An error of Node's. */
export function nodeError(
  kind: ErrorConstructor | TypeErrorConstructor | RangeErrorConstructor,
  code: string,
  message: string,
): NodeJS.ErrnoException {
  return withCode(Object.assign(new kind(message), { code }))
}

/** Makes an error show its code after its name, as a string and in its stack, as Node's own do. */
export function withCode<Coded extends Error & { readonly code: string }>(error: Coded): Coded {
  const { code } = error
  const title = (): string => `${error.name} [${code}]`
  Object.defineProperty(error, 'name', { value: title(), configurable: true })
  // Its first line is written when the stack is first read: now, while the name has the code.
  void error.stack
  Reflect.deleteProperty(error, 'name')
  const value = (): string => `${title()}: ${error.message}`
  return Object.defineProperty(error, 'toString', { value, configurable: true, writable: true })
}

/** Of an argument, or of an option, that is not what it must be: `'of type number'`. */
export function invalidType(name: string, must: string, value: unknown): NodeJS.ErrnoException {
  const what = name.includes('.') ? 'property' : 'argument'
  const message = `The "${name}" ${what} must be ${must}. Received ${received(value)}`
  return nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', message)
}

/** A value as Node tells what it was given. */
export function received(value: unknown): string {
  if (value === null || value === undefined) return `${value}`
  if (typeof value === 'function') return `function ${value.name}`
  if (typeof value === 'object') {
    const name = value.constructor?.name
    return name ? `an instance of ${name}` : inspect(value, { depth: -1 })
  }
  if (typeof value !== 'string') return `type ${typeof value} (${inspect(value)})`
  const text = value.length > 28 ? `${value.slice(0, 25)}...` : value
  return `type string (${text.includes("'") ? JSON.stringify(text) : `'${text}'`})`
}

/** Of an argument that has to be given. */
export function missing(name: string): Error {
  return nodeError(TypeError, 'ERR_MISSING_ARGS', `The "${name}" argument must be specified`)
}

export function notRunning(): Error {
  return nodeError(Error, 'ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running')
}

export function alreadyBound(): Error {
  return nodeError(Error, 'ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound')
}

export function alreadyConnected(): Error {
  return nodeError(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
}

export function notConnected(): Error {
  return nodeError(Error, 'ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected')
}

/** Of an address that a `sendBlockList` has. */
export function blocked(address: string): Error {
  return nodeError(Error, 'ERR_IP_BLOCKED', `IP(${address}) is blocked by net.BlockList`)
}
