import { getSystemErrorMap } from 'node:util'

/** The numbers of the system's errors, by their names. */
const numbers = new Map([...getSystemErrorMap()].map(([number, [name]]) => [name, number]))

/** Whether the system has an error of that name, such as `'ENETUNREACH'`. */
export function isErrno(name: unknown): name is string {
  return typeof name === 'string' && numbers.has(name)
}

/**
 * The error that node:dgram makes of the kernel's refusal of a call. `remedy` is what to try where that is
 * something else than after a refusal of the kernel's.
 */
export function systemError(
  syscall: string,
  code: string,
  address?: string,
  port?: number,
  remedy?: string,
): NodeJS.ErrnoException {
  const where = address === undefined ? '' : port ? ` ${address}:${port}` : ` ${address}`
  return Object.assign(new Error(`${syscall} ${code}${where}`), {
    errno: numbers.get(code) ?? 0,
    code,
    syscall,
    ...(address === undefined ? {} : { address }),
    ...(port ? { port } : {}),
    ...(remedy === undefined ? {} : { remedy }),
  })
}

/** One of Node's own errors, which say that a call is wrong before the kernel hears of it. */
export function nodeError(
  kind: ErrorConstructor | TypeErrorConstructor | RangeErrorConstructor,
  code: string,
  message: string,
): NodeJS.ErrnoException {
  return Object.assign(new kind(message), { code })
}
