import type { CreateSocket } from '../../src/index.js'
import type { MockHost } from '../../src/testing/index.js'

/** The calls of a socket that can be trapped, each with the word that stands before its interface in what is noted. */
type Verbs = Partial<
  Record<
    'addMembership' | 'addSourceSpecificMembership' | 'dropMembership' | 'setMulticastInterface',
    string
  >
>

/** A mock host's sockets, of which some calls are noted, and refused with what a test says for an interface. */
export function traps(host: MockHost, verbs: Verbs) {
  /** The system's errors, by the interface that a call names last, with or without the word before it. */
  const refusals: Record<string, string> = {}
  const calls: string[] = []
  let open = 0
  const createSocket: CreateSocket = (options) => {
    const socket = host.createSocket(options)
    open += 1
    socket.once('close', () => {
      open -= 1
    })
    for (const [name, verb] of Object.entries(verbs)) {
      const method = name as keyof Verbs
      const genuine = socket[method].bind(socket) as (...args: unknown[]) => void
      socket[method] = (...args: unknown[]) => {
        const on = String(args.at(-1))
        calls.push(`${verb}${on}`)
        const code = refusals[on] ?? refusals[`${verb}${on}`]
        if (code === undefined) return genuine(...args)
        throw Object.assign(new Error(`${method} ${code} ${on}`), { code })
      }
    }
    return socket
  }
  return { createSocket, refusals, calls, open: () => open }
}
