import { connect } from '@nats-io/transport-node'
import type { Carrier, MulticastReceiver } from 'typed-multicast'
import { natsCarrier } from 'typed-multicast/nats'
import { unicastCarrier } from 'typed-multicast/unicast'
import { host, group as sharedGroup } from '../sides.js'

/** What is compared: the system's multicast, a list of hosts, and a NATS server. */
export const carriers = ['dgram', 'unicast', 'NATS'] as const
export type CarrierName = (typeof carriers)[number]

/** The figure of one that cannot be measured here. */
export const missing = 'no nats-server'

/** Nobody else is in this network. */
export const where = { group: sharedGroup, port: 10_000 } as const

/** Where the NATS server listens. */
export const serverPort = 4222

/** One host of those that hear each other. */
export interface Host {
  /** What senders and receivers on it are made with. */
  readonly options: typeof where & Carrier & { readonly interfaces?: string }
  /** The messages that a receiver was too slow for, as far as they are counted. */
  lostBy(receiver: MulticastReceiver): Promise<number>
  /** How often the server has cut it off. */
  disconnects(): number
}

/** The host of that number, of so many: the others are on its list, or it has a connection of its own. */
export async function hostOf(name: CarrierName, at: number, of: number): Promise<Host> {
  const never = (): number => 0
  switch (name) {
    case 'dgram':
      return {
        options: { ...where, interfaces: host },
        lostBy: async (receiver) => receiver.stats.dropped + ((await receiver.kernelDrops()) ?? 0),
        disconnects: never,
      }
    case 'unicast': {
      const peers = Array.from({ length: of }, (_, index) => addressOf(index))
      const carrier = unicastCarrier({ peers, address: addressOf(at) })
      return {
        options: { ...where, ...carrier },
        lostBy: async ({ stats }) =>
          stats.dropped + carrier.stats.overflowed + ((await carrier.kernelDrops()) ?? 0),
        disconnects: never,
      }
    }
    case 'NATS': {
      const servers = `${host}:${serverPort}`
      const carrier = natsCarrier(await connect({ servers, maxReconnectAttempts: -1 }))
      return {
        options: { ...where, ...carrier },
        lostBy: async ({ stats }) => stats.dropped + carrier.stats.overflowed,
        disconnects: () => carrier.stats.disconnects,
      }
    }
  }
}

function addressOf(at: number): string {
  return `127.71.0.${at + 1}`
}
