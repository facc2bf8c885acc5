import { getSystemErrorMap } from 'node:util'
import { withCode } from './node-error.js'

/** The numbers of the system's errors, and what they say, by their names. */
const errors = new Map(
  [...getSystemErrorMap()].map(([errno, [name, meaning]]) => [name, { errno, meaning }]),
)

/** Whether the system has an error of that name, such as `'ENETUNREACH'`. */
export function isErrno(name: unknown): name is string {
  return errors.has(name as string)
}

/** The error that node:dgram makes of the kernel's refusal of a call. */
export function systemError(syscall: string, code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${syscall} ${code}`), { errno: errnoOf(code), code, syscall })
}

/** The error that Node makes where a function of libuv fails that is not one of a socket's. */
export function libraryError(syscall: string, code: string): NodeJS.ErrnoException {
  const error = new Error(`${code}: ${known(code).meaning}, ${syscall}`)
  return Object.assign(error, { errno: errnoOf(code), code, syscall })
}

/**
 * The error of a refused call that has an address, as it was given. `remedy` is what to try where that is
 * something else than after a refusal of the kernel's.
 */
export function addressError(
  syscall: string,
  code: string,
  address: unknown,
  port: unknown,
  remedy?: string,
): NodeJS.ErrnoException {
  const where = Number(port) > 0 ? ` ${address}:${port}` : address ? ` ${address}` : ''
  const error = new Error(`${syscall} ${code}${where}`)
  const more = {
    address,
    ...(port ? { port } : {}),
    ...(remedy === undefined ? {} : { remedy }),
  }
  return Object.assign(error, { errno: errnoOf(code), code, syscall, ...more })
}

/** The error of a name that stands for no address, as `dns.lookup` has it. */
export function lookupError(hostname: string): NodeJS.ErrnoException {
  const [code, syscall] = ['ENOTFOUND', 'getaddrinfo']
  const error = new Error(`${syscall} ${code} ${hostname}`)
  return Object.assign(error, { errno: -3008, code, syscall, hostname })
}

/** What Node says where the system refuses something that is not one of a socket's calls. */
class SystemError extends Error {}
SystemError.prototype.name = 'SystemError'

/** The error that Node makes of a refusal to tell or set the size of a buffer. */
export function bufferSizeError(code: 'EBADF' | 'EINVAL', isReceive: boolean): Error {
  const call = isReceive ? 'uv_recv_buffer_size' : 'uv_send_buffer_size'
  const why = code === 'EINVAL' ? 'invalid argument' : 'bad file descriptor'
  const message = `Could not get or set buffer size: ${call} returned ${code} (${why})`
  const errno = errnoOf(code)
  const error = Object.assign(new SystemError(message), {
    code: 'ERR_SOCKET_BUFFER_SIZE',
    info: { errno, code, message: why, syscall: call },
    errno,
    syscall: call,
  })
  return withCode(error)
}

function errnoOf(code: string): number {
  return known(code).errno
}

function known(code: string): { errno: number; meaning: string } {
  return errors.get(code) ?? { errno: 0, meaning: 'unknown error' }
}
