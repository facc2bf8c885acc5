/** The network of the conformance cases, in memory. */
import type { ConformanceHost, ConformanceNetwork } from '../../src/testing/conformance/network.js'
import { Peer } from '../../src/testing/conformance/peer.js'
import { type MockHost, MockNetwork } from '../../src/testing/index.js'

/** The segment and the addresses of each interface, by host. */
const hosts = {
  near: {
    e0: { segment: 'red', addresses: ['10.0.0.1/24', 'fd00::1/64', 'fe80::1/64'] },
    e1: { segment: 'blue', addresses: ['10.0.1.1/24', 'fd01::1/64', 'fe80::1/64'] },
  },
  other: {
    e0: {
      segment: 'red',
      addresses: ['10.0.0.2/24', '10.0.0.3/24', 'fd00::2/64', 'fd00::3/64', 'fe80::2/64'],
    },
    e1: {
      segment: 'blue',
      addresses: ['10.0.1.2/24', '10.0.1.3/24', 'fd01::2/64', 'fd01::3/64', 'fe80::2/64'],
    },
  },
  far: {
    e0: { segment: 'green', addresses: ['10.0.2.2/24', 'fd02::2/64', 'fe80::2/64'] },
  },
}

/** A mock network of that topology. */
export function mockNetwork(): ConformanceNetwork & Pick<MockNetwork, 'settled'> {
  const network = new MockNetwork({ platform: 'linux' })
  network.router('red', 'green')
  const host = (name: keyof typeof hosts): ConformanceHost =>
    conformanceHost(
      network.host({ name, interfaces: hosts[name] }),
      new Map(Object.entries(hosts[name])),
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
  plugs: ReadonlyMap<string, { segment: string; addresses: string[] }>,
): ConformanceHost {
  const present = new Set(plugs.keys())
  const addresses = new Map([...plugs].map(([name, plug]) => [name, plug.addresses]))
  const readdress = (name: string, others: string[]): void => {
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
          (addresses.get(name) ?? []).filter((own) => own !== address),
        ),
      addAddress: async (name, address) =>
        readdress(name, [...(addresses.get(name) ?? []), address]),
      restore: async () => {
        for (const name of plugs.keys()) {
          if (present.has(name)) remove(name)
          add(name)
        }
      },
    },
  }
}
