import { Socket } from 'node:dgram'
import { errorMonitor } from 'node:events'

// What node:dgram of the running Node does otherwise than that of other versions. It is read in its
// source, because to try it would open sockets.

const isRead = (option: string): boolean => String(Socket).includes(option)

/** Whether it reads these options: from 22.12 and 22.13 on. */
export const reads: { readonly reusePort: boolean; readonly blockLists: boolean } = {
  reusePort: isRead('reusePort'),
  blockLists: isRead('receiveBlockList'),
}

/**
 * What takes the callback of a failed bind away. On 20 and 22 it listens for the error itself, which
 * is then handled although nobody else does.
 */
export const bindFailure: typeof errorMonitor | 'error' = String(Socket.prototype.bind).includes(
  'errorMonitor',
)
  ? errorMonitor
  : 'error'

/**
 * Gives a prototype the shape of node:dgram's: removes those of `methods` that node:dgram lacks, makes the others
 * enumerable and of the same `length`, and hides what sockets keep to themselves.
 */
export function adapt(prototype: object, methods: readonly (string | symbol)[]): void {
  for (const method of methods) {
    if (!(method in Socket.prototype)) Reflect.deleteProperty(prototype, method)
  }
  for (const name of Reflect.ownKeys(Socket.prototype)) {
    if (typeof name === 'string' && name.startsWith('_')) {
      // Deprecated, and gone from 26 on: they show a handle of the system's, and there is none. They can be assigned to.
      Object.defineProperty(prototype, name, { value: undefined, writable: true })
    } else if (name !== 'constructor' && Object.hasOwn(prototype, name)) {
      const { length: value } = Reflect.get(Socket.prototype, name)
      Object.defineProperty(Reflect.get(prototype, name), 'length', { value })
      Object.defineProperty(prototype, name, { enumerable: true })
    }
  }
}
