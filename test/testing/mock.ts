/** The network of the conformance cases, in memory. */
import {
  type ConformanceHost,
  type ConformanceNetwork,
  topology,
} from '../../src/testing/conformance/network.js'
import { Peer } from '../../src/testing/conformance/peer.js'
import { type MockAddress, type MockHost, MockNetwork } from '../../src/testing/index.js'

/** A mock network of that topology. */
export function mockNetwork(): ConformanceNetwork & Pick<MockNetwork, 'settled'> {
  const network = new MockNetwork({ platform: 'linux' })
  network.router('red', 'green')
  const host = (name: keyof typeof topology): ConformanceHost =>
    conformanceHost(
      network.host({ name, interfaces: topology[name] }),
      new Map(Object.entries(topology[name])),
    )
  return {
    near: host('near'),
    other: host('other'),
    far: host('far'),
    settled: () => network.settled(),
  }
}

function conformanceHost(
  host: MockHost,
  plugs: ReadonlyMap<string, { segment: string; addresses: readonly string[] }>,
): ConformanceHost {
  const present = new Set(plugs.keys())
  const addresses = new Map<string, readonly (string | MockAddress)[]>(
    [...plugs].map(([name, plug]) => [name, plug.addresses]),
  )
  const readdress = (name: string, others: readonly (string | MockAddress)[]): void => {
    addresses.set(name, others)
    host.readdress(name, others)
  }
  const remove = (name: string): void => {
    present.delete(name)
    host.remove(name)
  }
  const add = (name: string): void => {
    const plug = plugs.get(name)
    if (plug === undefined) throw new Error(`there is no ${name}`)
    present.add(name)
    addresses.set(name, plug.addresses)
    host.add(name, plug)
  }
  return {
    peer: Peer.over(host),
    interfaces: {
      down: async (name) => host.down(name),
      up: async (name) => host.up(name),
      remove: async (name) => remove(name),
      add: async (name) => add(name),
      removeAddress: async (name, address) =>
        readdress(
          name,
          (addresses.get(name) ?? []).filter(
            (own) => (typeof own === 'string' ? own : own.address) !== address,
          ),
        ),
      addAddress: async (name, address, more) => {
        const isIPv6 = address.includes(':')
        const added = isIPv6 ? address : { address, scope: 'global' as const, ...more }
        readdress(name, [...(addresses.get(name) ?? []), added])
      },
      restore: async () => {
        for (const name of plugs.keys()) {
          if (present.has(name)) remove(name)
          add(name)
        }
      },
    },
  }
}
