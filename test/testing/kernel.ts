/** The network of the conformance cases, of namespaces, cables and a router. */
import {
  type ConformanceHost,
  type ConformanceNetwork,
  routedGroups,
  topology,
} from '../../src/testing/conformance/network.js'
import { type End, type Host, type Lab, type Lan, owned } from '../lab.js'
import { movables } from './end.js'

/** What the lab needs for the router. */
export const routerNeeds = ['smcrouted', '/proc/net/ip_mr_vif', '/proc/net/ip6_mr_vif']

/** Builds it; the router only forwards where `hasRouter`. */
export async function kernelNetwork(lab: Lab, hasRouter: boolean): Promise<ConformanceNetwork> {
  const [near, other, far, router] = [lab.host(), lab.host(), lab.host(), lab.host()]
  const [red, blue, green] = [await lab.lan(), await lab.lan(), await lab.lan()]
  const lans = { red, blue, green }
  const ends = {
    near: plan(near, 'near', lans),
    other: plan(other, 'other', lans),
    far: plan(far, 'far', lans),
  }
  for (const { lan, end } of Object.values(ends).flat()) await lan.plug(end)
  await red.plug([router, 'red', '10.0.0.254/24', 'fd00::fe/64', 'fe80::fe/64'])
  await green.plug([router, 'green', '10.0.2.254/24', 'fd02::fe/64', 'fe80::fe/64'])
  const routes = { near: defaultRoutes(0), other: defaultRoutes(0), far: defaultRoutes(2) }
  for (const [name, host] of Object.entries({ near, other, far })) {
    for (const route of routes[name as keyof typeof routes]) host.ip(`route add ${route}`)
  }
  if (hasRouter) {
    await router.route([
      'phyint red enable ttl-threshold 1',
      'phyint green enable ttl-threshold 1',
      ...routedGroups.map((group) => `mroute from red group ${group} to green`),
      // Of a source that it knows the kernel forwards at once, without asking smcroute.
      ...routedGroups.flatMap((group) =>
        sources(group).map((source) => `mroute from red source ${source} group ${group} to green`),
      ),
    ])
  }
  // The mock has no neighbours to find: none may wait for an interface that changes, nor be known by
  // the hardware address of one that was.
  const forget = (): void => {
    for (const host of [near, other, far, router]) host.ip('neigh flush all')
  }
  return {
    near: await conformanceHost(near, ends.near, routes.near, forget),
    other: await conformanceHost(other, ends.other, routes.other, forget),
    far: await conformanceHost(far, ends.far, routes.far, forget),
  }
}

/** The ways through the router, from the network of that number. */
function defaultRoutes(net: number): string[] {
  return [`default via 10.0.${net}.254`, `default via fd0${net}::fe`]
}

/** Of whom a group's datagrams can come to the router. */
function sources(group: string): string[] {
  const isIPv6 = group.includes(':')
  const added = Object.values(movables).flat()
  return [topology.near, topology.other]
    .flatMap((interfaces) => Object.values(interfaces))
    .flatMap(({ addresses }) => [...addresses])
    .concat(added.filter(({ isThere }) => !isThere).map(({ address }) => address))
    .map((address) => address.replace(/\/.*/, ''))
    .filter((address) => address.includes(':') === isIPv6)
}

/** An end of a host's, and the switch that it is plugged into. */
interface Plug {
  readonly lan: Lan
  readonly end: End
}

function plan(
  host: Host,
  name: keyof typeof topology,
  lans: Readonly<Record<string, Lan>>,
): Plug[] {
  return Object.entries(topology[name]).map(([device, { segment, addresses }]) => ({
    lan: lans[segment] as Lan,
    end: [host, device, ...addresses],
  }))
}

async function conformanceHost(
  host: Host,
  plugs: readonly Plug[],
  routes: readonly string[],
  forget: () => void,
): Promise<ConformanceHost> {
  const changed = new Set<string>()
  const find = (name: string): Plug => {
    const plug = plugs.find(({ end }) => end[1] === name)
    if (plug === undefined) throw new Error(`there is no ${name}`)
    return plug
  }
  /** Does something to an interface that {@link restore} has to put right. */
  const change = (name: string, command: string): void => {
    changed.add(name)
    host.ip(command)
  }
  const raise = ({ lan, end }: Plug): Promise<void> => lan.raise(end)
  return {
    peer: await host.peer(),
    interfaces: {
      down: async (name) => change(name, `link set dev ${name} down`),
      up: async (name) => {
        await raise(find(name))
        forget()
      },
      remove: async (name) => change(name, `link del dev ${name}`),
      add: async (name) => {
        const { lan, end } = find(name)
        await lan.plug(end)
        forget()
      },
      removeAddress: async (name, address) => change(name, `addr del ${address} dev ${name}`),
      addAddress: async (name, address, { label, scope } = {}) => {
        const details = [
          address.includes(':') ? ' nodad' : '',
          label === undefined ? '' : ` label ${label}`,
          scope === undefined ? '' : ` scope ${scope}`,
        ]
        change(name, `addr add ${address} dev ${name}${details.join('')}`)
        const isUp = /[<,]UP[,>]/.test(host.ip(`link show dev ${name}`))
        if (isUp) await owned(host, name, address)
      },
      restore: async () => {
        const first = plugs.findIndex(({ end: [, name] }) => changed.has(name))
        if (first >= 0) {
          // With those after it, because they are numbered in their order.
          for (const { lan, end } of plugs.slice(first)) {
            host.unplug(end[1])
            await lan.plug(end)
          }
          // They go with the interface that they lead through.
          for (const route of routes) host.ip(`route replace ${route}`)
          forget()
        }
        changed.clear()
      },
    },
  }
}
