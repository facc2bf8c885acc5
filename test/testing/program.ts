/** Random programs: what raw sockets on three hosts are told to do, one step after the other. */
import fc from 'fast-check'
import type { ConformanceNetwork } from '../../src/testing/conformance/network.js'
import { type Changing, type LinkState, linkStates, movables } from './end.js'

/** What a socket is bound to. */
export interface At {
  readonly address: string
  readonly port: number
}

/** Where a datagram goes. */
export interface Parcel {
  readonly to: string
  readonly port: number
  readonly size: number
}

/** How data is given to `send`: in parts, from an offset, or without an address. */
export const forms = ['parts', 'offset', 'bare', 'sendto'] as const
export type Form = (typeof forms)[number]

/** One step. Sockets are named by numbers beyond those there are: what is left over is meant. */
export type Step =
  | {
      readonly do: 'open'
      readonly host: keyof ConformanceNetwork
      readonly type: 'udp4' | 'udp6'
      readonly reuseAddr: boolean
      readonly ipv6Only: boolean
      readonly at: At | undefined
    }
  | { readonly do: 'bind'; readonly on: number; readonly at: At }
  /** The same method again and again, with these arguments. */
  | { readonly do: 'call'; readonly on: number; readonly call: string; readonly args: unknown[][] }
  | { readonly do: 'connect'; readonly on: number; readonly to: string; readonly port: number }
  /** Sends to what the socket is connected to. */
  | { readonly do: 'say'; readonly on: number }
  /** Sends without a callback, in one of the forms that `send` has. */
  | { readonly do: 'post'; readonly on: number; readonly form: Form; readonly parcel: Parcel }
  /** All at once. */
  | { readonly do: 'send'; readonly on: number; readonly parcels: Parcel[] }
  /** Takes `e1` there; it may be there already. */
  | { readonly do: 'link'; readonly host: Changing; readonly to: LinkState }
  /** Takes one of the host's movable addresses away, or adds it if it is not there. */
  | { readonly do: 'address'; readonly host: Changing; readonly which: number }

type Family = 'IPv4' | 'IPv6'

/** What a program can name, over each family. */
const worlds = {
  IPv4: {
    type: 'udp4',
    groups: ['239.1.2.3', '239.1.2.4', '224.0.0.1', '224.0.0.200', '10.0.0.1'],
    many: Array.from({ length: 22 }, (_, at) => `239.2.0.${at}`),
    binds: [
      ...['0.0.0.0', '239.1.2.3', '239.1.2.4', '224.0.0.200'],
      ...['10.0.0.1', '10.0.0.3', '10.0.1.1', '10.0.1.2', '10.0.2.2', '127.0.0.1', '127.0.0.2'],
      ...['10.0.5.1', '10.0.0.50', '169.254.7.1', '169.254.8.1'],
    ],
    interfaces: [
      ...[undefined, '0.0.0.0', '127.0.0.1', '127.0.0.2', '10.0.0.1', '10.0.0.2', '10.0.0.3'],
      ...['10.0.1.1', '10.0.1.2', '10.0.2.2', '10.0.9.1', '10.0.9.2'],
      ...['10.0.5.1', '10.0.0.50', '169.254.7.1', '169.254.8.1'],
    ],
    sources: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.1.1', '10.0.1.2', '127.0.0.1'],
    manySources: Array.from({ length: 12 }, (_, at) => `10.0.0.${at + 1}`),
    targets: [
      ...['239.1.2.3', '239.1.2.4', '224.0.0.1', '224.0.0.200'],
      ...['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.1.1', '10.0.1.2', '10.0.2.2'],
      ...['10.0.9.1', '10.0.0.255', '255.255.255.255', '127.0.0.1', '127.0.0.2', '0.0.0.0'],
      ...['10.0.5.1', '169.254.7.1', '10.0.0.255', '255.255.255.255', '10.0.1.255', '10.0.2.255'],
    ],
  },
  IPv6: {
    type: 'udp6',
    groups: ['ff05::1:3', 'ff02::1:3', 'ff15::7', 'ff02::1', 'ff01::7', 'ff0e::7', 'fd00::1'],
    many: Array.from({ length: 22 }, (_, at) => `ff15::2:${at}`),
    binds: [
      ...['::', 'ff05::1:3', 'ff15::7', 'ff01::7%e0', 'ff02::1:3%e0'],
      ...['ff02::1:3%e1', 'ff02::1:3', 'fd00::1', 'fd00::3', 'fd01::1', 'fd01::2', 'fd02::2'],
      ...['fe80::1%e0', 'fe80::1%e1', 'fe80::2%e0', 'fe80::2%e1', '::1'],
    ],
    interfaces: [undefined, '::', '::%lo', '::%e0', '::%e1', '::%e1', '::%e9', 'fd01::1'],
    sources: ['fd00::1', 'fd00::2', 'fd01::1', 'fd01::2', 'fe80::1', 'fe80::2', '::1'],
    manySources: Array.from({ length: 66 }, (_, at) => `fd00::${at + 1}`),
    targets: [
      ...['ff05::1:3', 'ff15::7', 'ff02::1:3%e0', 'ff02::1:3%e1'],
      ...['ff02::1:3', 'ff02::1%e1', 'ff01::7%e0', 'ff0e::7', 'ff05::1:3%e1', 'fd00::1'],
      ...['fd00::2', 'fd00::3', 'fd01::1', 'fd01::2', 'fd02::2', 'fe80::1%e0', 'fe80::2%e0'],
      ...['fe80::1%e1', 'fe80::2%e1', 'fe80::2', '::1', '::'],
    ],
  },
} as const

/** Whether a socket is to be IPv6 only, which an IPv4 socket cannot be. */
const never = [false, false, false, false, false, false, false, true]
const often = [true, true, true, false]

/** One of them, and most often one of the first, so that programs are about the same few things. */
function pick<Value>(values: readonly Value[], first: number): fc.Arbitrary<Value> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...values.slice(0, first)) },
    { weight: 2, arbitrary: fc.constantFrom(...values) },
  )
}

const on = fc.nat(5)
const port = fc.constantFrom(10_000, 10_000, 10_000, 10_000, 10_001)
const host = fc.constantFrom('near', 'near', 'near', 'other', 'other', 'other', 'far' as const)
const changing = fc.constantFrom('near', 'other' as const)

/** Programs of sockets of those families; in a few of them interfaces change. */
export function programs(...families: Family[]): fc.Arbitrary<Step[]> {
  const each = <Value>(make: (family: Family) => fc.Arbitrary<Value>): fc.Arbitrary<Value> =>
    fc.oneof(...families.map(make))
  const open = each(opening)
  const calls = [
    { weight: 4, arbitrary: open },
    { weight: 16, arbitrary: each(calling) },
    { weight: 16, arbitrary: each(sending) },
    { weight: 3, arbitrary: each(connecting) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('say' as const), on }) },
    { weight: 3, arbitrary: each(posting) },
  ]
  const of = (
    changes: { weight: number; arbitrary: fc.Arbitrary<Step> }[],
    first: fc.Arbitrary<Step[]> = fc.constant([]),
  ) =>
    fc.tuple(
      first,
      fc.array(open, { minLength: 3, maxLength: 5 }),
      fc.array(each(joining), { minLength: 1, maxLength: 5 }),
      fc.array(fc.oneof(...calls, ...changes), { minLength: 6, maxLength: 26 }),
    )
  // Of one kind only: an IPv6 address that was added goes when its interface goes down, and nothing
  // but the network's description brings addresses back.
  const link = fc.record({
    do: fc.constant('link' as const),
    host: changing,
    to: fc.constantFrom(...linkStates),
  })
  const address = changing.chain(moving)
  const addresses = [
    { weight: 8, arbitrary: address },
    { weight: 8, arbitrary: naming },
  ]
  return fc
    .oneof(
      { weight: 10, arbitrary: of([]) },
      { weight: 1, arbitrary: of([{ weight: 8, arbitrary: link }]) },
      { weight: 2, arbitrary: of(addresses, fc.array(moving('near'), { maxLength: 8 })) },
    )
    .map((parts) => parts.flat())
}

/** Takes an address of a host away or adds it, most often one that it does not have at first. */
function moving(host: Changing): fc.Arbitrary<Step> {
  const all = movables[host].map((movable, which) => ({ movable, which }))
  const lacking = all.filter(({ movable }) => !movable.isThere)
  return fc.record({
    do: fc.constant('address' as const),
    host: fc.constant(host),
    which: fc.constantFrom(...[...lacking, ...lacking, ...all].map(({ which }) => which)),
  })
}

/** Sends, or hears, by one of the addresses that are not there at first. */
const naming: fc.Arbitrary<Step> = fc
  .tuple(
    on,
    fc.constantFrom('setMulticastInterface', 'setMulticastInterface', 'addMembership'),
    fc.constantFrom(
      ...Object.values(movables)
        .flat()
        .filter(({ address, isThere }) => !isThere && !address.includes(':'))
        .map(({ address }) => address.replace(/\/.*/, '')),
    ),
  )
  .map(([on, call, by]) => ({
    do: 'call',
    on,
    call,
    args: [call === 'addMembership' ? ['239.1.2.3', by] : [by]],
  }))

function opening(family: Family): fc.Arbitrary<Step> {
  const { type } = worlds[family]
  return fc.record({
    do: fc.constant('open' as const),
    host,
    type: fc.constant(type),
    reuseAddr: fc.constantFrom(true, true, true, false),
    ipv6Only: fc.constantFrom(...(family === 'IPv4' ? never : often)),
    at: fc.option(place(family), { freq: 9, nil: undefined }),
  })
}

function place(family: Family): fc.Arbitrary<At> {
  return fc.record({ address: pick(worlds[family].binds, 2), port })
}

function calling(family: Family): fc.Arbitrary<Step> {
  const { groups, interfaces, sources, many, manySources } = worlds[family]
  const [group, where, source] = [pick(groups, 1), pick(interfaces, 1), pick(sources, 2)]
  const call = (weight: number, name: string, args: fc.Arbitrary<unknown[][]>) => ({
    weight,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      on,
      call: fc.constant(name),
      args,
    }),
  })
  const once = (...args: fc.Arbitrary<unknown>[]) => fc.tuple(fc.tuple(...args))
  const joins = fc
    .tuple(fc.integer({ min: 2, max: many.length }), where)
    .map(([count, on]) => many.slice(0, count).map((group) => [group, on]))
  const sourceJoins = fc
    .tuple(fc.integer({ min: 2, max: manySources.length }), group, where)
    .map(([count, group, on]) => manySources.slice(0, count).map((source) => [source, group, on]))
  return fc.oneof(
    { weight: 8, arbitrary: joining(family) },
    call(1, 'addMembership', joins),
    call(4, 'dropMembership', once(group, where)),
    call(1, 'dropMembership', joins),
    call(4, 'addSourceSpecificMembership', once(source, group, where)),
    call(1, 'addSourceSpecificMembership', sourceJoins),
    call(2, 'dropSourceSpecificMembership', once(source, group, where)),
    call(5, 'setMulticastInterface', once(fc.constantFrom(...interfaces))),
    call(4, 'setMulticastTTL', once(fc.constantFrom(0, 0, 1, 2, 2, 3, 255, 256))),
    call(2, 'setMulticastLoopback', once(fc.boolean())),
    call(family === 'IPv4' ? 4 : 1, 'setBroadcast', once(fc.constantFrom(true, true, true, false))),
    call(2, 'setTTL', once(fc.constantFrom(1, 2, 64, 255, 0, 256))),
    call(1, 'getSendQueueCount', once()),
    call(2, 'close', once()),
    call(1, 'disconnect', once()),
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('bind' as const), on, at: place(family) }),
    },
  )
}

function joining(family: Family): fc.Arbitrary<Step> {
  const { groups, interfaces } = worlds[family]
  const args = fc.tuple(fc.tuple(pick(groups, 1), fc.constantFrom(undefined, ...interfaces)))
  return fc.record({ do: fc.constant('call'), on, call: fc.constant('addMembership'), args })
}

function connecting(family: Family): fc.Arbitrary<Step> {
  const to = pick(worlds[family].targets, 2)
  return fc.record({ do: fc.constant('connect' as const), on, to, port })
}

function posting(family: Family): fc.Arbitrary<Step> {
  const form = fc.constantFrom(...forms)
  return fc.record({ do: fc.constant('post' as const), on, form, parcel: parcelling(family) })
}

function parcelling(family: Family): fc.Arbitrary<Parcel> {
  return fc.record({
    to: pick(worlds[family].targets, 1),
    port,
    size: fc.constantFrom(0, 12, 12, 12, 1400),
  })
}

function sending(family: Family): fc.Arbitrary<Step> {
  const parcel = parcelling(family)
  const parcels = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(parcel) },
    { weight: 1, arbitrary: fc.array(parcel, { minLength: 2, maxLength: 6 }) },
  )
  return fc.record({ do: fc.constant('send' as const), on, parcels })
}
