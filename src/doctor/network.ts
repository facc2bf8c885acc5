import type { NetworkInterfaceInfo } from 'node:os'
import createDebug from 'debug'
import { Sockets } from '../binding.js'
import { errno } from '../errors.js'
import { foundInterface, type NetworkInterfaces } from '../interfaces.js'
import { addressesOf, type Link, textOf } from './facts.js'
import { bad, doubtful, type Finding, good } from './finding.js'
import { addressFor, DENIED, isLoopback, type Look, settingOf } from './look.js'

const debug = createDebug('typed-multicast:doctor')

/** Which interfaces there are, and whether they are up. */
export function* interfaces(look: Look): Iterable<Finding> {
  const { subject, table, facts, usable } = look
  const { group, interfaces: wanted } = subject
  const out = usable.filter(({ name }) => !isLoopback(table, name))
  const links = facts.links ?? Object.keys(table).map(listed)
  if (typeof wanted !== 'string') {
    let isWhole = true
    for (const one of wanted) {
      const found = foundInterface(table, group, one)
      const link = links.find(({ name }) => name === one)
      if (found !== undefined) continue
      if (link === undefined) {
        isWhole = false
        const there = links.map(({ name }) => name).join(', ') || 'none'
        yield bad('interfaces', `There is no interface ${one}, only ${there}`, 'name one of these')
      } else if (troubleOf(link) !== undefined) {
        isWhole = false
        yield bad('interfaces', `${one} ${troubleOf(link)}`, remedyOf(link))
      }
    }
    if (isWhole) yield good('interfaces', wanted.join(', '))
    return
  }
  const others = links.filter(
    ({ name }) => !isLoopback(table, name) && !out.some((one) => one.name === name),
  )
  const troubled = others.filter((link) => troubleOf(link) !== undefined)
  const unusable = troubled.map((link) => `${link.name} ${troubleOf(link)}`).join('; ')
  if (out.length > 0) {
    const names = out.map(
      ({ name, handle }) => `${name} (${addressFor(group.family, table, name) ?? handle})`,
    )
    const cut = troubled.filter(({ hasCarrier }) => hasCarrier === false)
    yield good('interfaces', `${names.join(', ')}${unusable && `. Not used: ${unusable}`}`)
    // Somebody has set it up, and so wants it.
    const meant = cut.filter(({ name }) => hasRoute(name))
    if (meant.length === 0) return
    const which = meant.map((link) => `${link.name} ${troubleOf(link)}`).join('; ')
    yield doubtful('interfaces', which, 'plug it in, if it is the one that you mean')
    return
  }
  if (others.length === troubled.length) {
    const seen =
      unusable ||
      (usable.length > 0
        ? 'There is only the loopback interface: nothing comes from other machines'
        : 'There is no interface that is up')
    const first = troubled[0]
    const remedy =
      first === undefined
        ? 'connect this machine, or the container, to a network (ip link, ip addr)'
        : remedyOf(first)
    yield bad('interfaces', seen, remedy)
    return
  }
  // They are up: what they lack is an address.
  yield good('interfaces', others.map(({ name }) => name).join(', '))
}

function listed(name: string): Link {
  return { name, isUp: true, hasCarrier: true }
}

function hasRoute(name: string): boolean {
  return (textOf('/proc/net/route') ?? '').split('\n').some((line) => line.startsWith(`${name}\t`))
}

/** Why an interface cannot be used, but for want of an address. */
function troubleOf({ isUp, hasCarrier }: Link): string | undefined {
  if (isUp === false) return 'is down'
  return hasCarrier === false ? 'is up, but has no carrier' : undefined
}

function remedyOf({ name, isUp }: Link): string {
  return isUp === false
    ? `bring it up: ip link set ${name} up`
    : 'plug in its cable, or connect its Wi-Fi'
}

/** The addresses of the group's family on the interfaces that are asked for. */
export function* address(look: Look): Iterable<Finding> {
  const { subject, table, facts, usable } = look
  const { group, interfaces: wanted, isOfSystem } = subject
  const { family } = group
  const links = facts.links ?? Object.keys(table).map(listed)
  const asked = (name: string): boolean =>
    typeof wanted === 'string' ? !isLoopback(table, name) : wanted.includes(name)
  const able = links.filter((link) => asked(link.name) && troubleOf(link) === undefined)
  const bare = able.filter(({ name }) => addressFor(family, table, name) === undefined)
  const own = usable.filter(({ name }) => !isLoopback(table, name))
  if (bare.length > 0 && (typeof wanted !== 'string' || own.length === 0)) {
    const names = bare.map(({ name }) => name)
    const off =
      isOfSystem &&
      family === 'IPv6' &&
      names.every((name) => settingOf('ipv6', name, 'disable_ipv6'))
    yield bad(
      'address',
      `${names.join(', ')}: no ${family} address${off ? ', IPv6 is switched off there' : ''}`,
      off
        ? `sysctl -w net.ipv6.conf.${names[0]}.disable_ipv6=0`
        : !isOfSystem
          ? `take a group of the other family, or give it an ${family} address`
          : family === 'IPv4'
            ? 'give it one (DHCP, or ip addr add), or name another interface'
            : 'switch IPv6 on there, or take an IPv4 group',
    )
  }
  let isPlain = true
  for (const { name } of own) {
    const infos = addressesOf(table, name)
    const addresses = infos.filter((info) => info.family === family).map((info) => info.address)
    if (family === 'IPv4' && addresses.every((one) => one.startsWith('169.254.'))) {
      isPlain = false
      yield doubtful(
        'address',
        `${name} has only ${addresses.join(', ')}, which it has given itself: no DHCP server has answered`,
        'check the cable and DHCP; it cannot reach hosts with other kinds of addresses',
      )
    }
  }
  for (const [name, infos = []] of Object.entries(table)) {
    if (!isPlain || isLoopback(table, name) || !asked(name)) continue
    const shared = infos.find((info) => info.family === 'IPv4' && isShared(table, name, info))
    if (family !== 'IPv4' || shared === undefined) continue
    isPlain = false
    const names = Object.keys(table).filter((one) =>
      table[one]?.some((info) => info.address === shared.address),
    )
    yield doubtful(
      'address',
      `${names.join(' and ')} have the same address ${shared.address}: the system joins and sends on whichever it picks`,
      'give each an address of its own',
    )
  }
  if (isPlain && own.length > 0) {
    const list = own.flatMap(({ name }) => addressFor(family, table, name) ?? [])
    yield good('address', list.join(', '))
  }
}

function isShared(table: NetworkInterfaces, name: string, info: NetworkInterfaceInfo): boolean {
  return Object.entries(table).some(
    ([other, infos = []]) => other !== name && infos.some((one) => one.address === info.address),
  )
}

/** The system's route to the group, with the interface and address that a sender would use. */
export async function* route(look: Look): AsyncIterable<Finding> {
  const { subject, table, usable } = look
  const { group, interfaces: wanted, createSocket } = subject
  if (group.scoped) {
    yield good(
      'route',
      `${group.address} is a different group on each link, and is sent through the one that is named`,
    )
    return
  }
  const sockets = new Sockets({
    group,
    createSocket,
    operation: 'bind',
    configure: () => {},
    debug,
    mayBeNone: false,
    onLost: () => {},
    onError: () => {},
  })
  let source: string
  try {
    // Any port will do.
    source = await sockets.sourceTo(9, group.address, undefined)
  } catch (error) {
    if (errno((error as Error).cause) === DENIED) {
      yield bad('system', 'Node is not allowed to open sockets', 'start Node with --allow-net')
      return
    }
    yield doubtful(
      'route',
      `The system has no route to ${group.address}: a MulticastSender without interfaces fails (the command send, which goes through each interface, does not)`,
      `name an interface in the option interfaces, or add a route: ip route add ${group.address}${group.family === 'IPv4' ? '/32' : '/128'} dev NAME`,
    )
    return
  }
  const label = Object.keys(table).find((one) =>
    table[one]?.some((info) => info.address === source.replace(/%.*/, '')),
  )
  const name = process.platform === 'linux' ? label?.replace(/:.*/, '') : label
  const by = `${name ?? 'an interface that is not listed'}, from ${source}`
  const names = usable.map((one) => one.name)
  const isElsewhere = name !== undefined && names.length > 0 && !names.includes(name)
  const standard = group.family === 'IPv4' ? standardRoute() : undefined
  const isApart = standard !== undefined && name !== standard && names.includes(standard)
  if (wanted !== 'default' && (isElsewhere || isApart)) {
    const other = isElsewhere ? names.join(', ') : standard
    yield doubtful(
      'route',
      `The system's route to ${group.address} leads through ${by}, not ${other}: a MulticastSender without interfaces sends there`,
      `name the interface in the sender's option interfaces, or move the route: ip route replace ${group.address} dev ${isElsewhere ? names[0] : standard}`,
    )
    return
  }
  const rest = names.filter((one) => one !== name)
  const more =
    rest.length > 0 ? `; ${rest.join(', ')} only if a sender names it in its option interfaces` : ''
  yield good('route', `${group.address} leaves through ${by}${more}`)
}

/** The interface of the system's default route. */
function standardRoute(): string | undefined {
  const lines = (textOf('/proc/net/route') ?? '').split('\n').map((line) => line.split('\t'))
  return lines.find(([, to, , , , , , mask]) => to === '00000000' && mask === '00000000')?.[0]
}

/** Whether senders are dropped that the system has no route back to (strict rp_filter). */
export function* reversePath({ subject, usable, table, facts }: Look): Iterable<Finding> {
  const { group, endpoint } = subject
  if (facts.links === undefined || group.family === 'IPv6') return
  if (endpoint?.noun === 'sender') return
  const names = usable.map(({ name }) => name).filter((name) => !isLoopback(table, name))
  const strict = names.filter((name) => isStrict(name) && name !== standardRoute())
  if (strict.length > 0) {
    yield doubtful(
      'rp-filter',
      `rp_filter is strict on ${strict.join(', ')}: it drops senders whose addresses this host routes elsewhere, or nowhere`,
      `add a route back to the sender by ${strict[0]}, or sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.${strict[0]}.rp_filter=2`,
    )
  } else if (names.length > 0) yield good('rp-filter', 'drops no senders for lack of a route back')
}

/** The larger of the two holds: 1 is strict. */
function isStrict(name: string): boolean {
  return Math.max(...['all', name].map((one) => settingOf('ipv4', one, 'rp_filter'))) === 1
}
