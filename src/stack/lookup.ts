import { AsyncResource } from 'node:async_hooks'
import { isIP } from 'node:net'
import { checkString } from './arguments.js'
import type { Stack } from './stack.js'
import { lookupError } from './system-error.js'
import { tick } from './ticks.js'
import { Hold } from './turns.js'

/** Learns which address a name stands for. */
export type Resolved = (error: NodeJS.ErrnoException | null, address: string) => void

/** Finds the address of a name, for a family. */
export type Lookup = (hostname: string, family: 4 | 6, callback: Resolved) => void

/**
 * The lookup of a socket that was given none: an address stands for itself, `localhost` for the host, and no other
 * name is known. As node:dgram's it answers on the next tick, or, for a name, in a coming turn.
 */
export function lookupOn(stack: Stack): Lookup {
  return (hostname, family, callback) => {
    checkString(hostname, 'hostname')
    if (isIP(hostname) !== 0) {
      tick(() => callback(null, hostname))
      return
    }
    const scope = new AsyncResource('STACKLOOKUP')
    const hold = new Hold()
    hold.set(true)
    stack.soon(() => {
      hold.set(false)
      if (hostname.toLowerCase() === 'localhost') callback(null, family === 4 ? '127.0.0.1' : '::1')
      else callback(lookupError(hostname), hostname)
    }, scope)
  }
}
