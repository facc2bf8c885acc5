import { createSocket } from 'node:dgram'
import { type Group, parseGroup } from '../address.js'
import type { CreateSocket } from '../datagram.js'
import type { Chart } from '../endpoint.js'
import { MulticastError } from '../errors.js'
import type { Lister, Lookup } from '../interfaces.js'
import { type Carrier, carrierRules, checkCarrier, checkNotBound } from '../options.js'
import type { MulticastReceiver } from '../receiver.js'
import { integer, isBoolean, optional, type Rules, resolve, rule, wrongValue } from '../rules.js'
import { parseInterfaces, type Wanted } from '../wanted.js'
import { type Examination, examineOf } from './examination.js'

/** The options of {@link diagnose}. `undefined` always means the default. */
export interface DiagnoseOptions extends Carrier {
  /**
   * The group to examine, as senders and receivers take it. Only together with `port`. Default: 239.255.29.29,
   * the doctor's own, on which two doctors find each other.
   */
  group?: string | undefined
  /** The group's UDP port, 1 to 65535. Only together with `group`. Default: 29029. */
  port?: number | undefined
  /**
   * The interfaces to examine, as senders and receivers take them. One that does not exist is a finding, not an
   * error. Default: `'all'`.
   */
  interfaces?: 'all' | 'default' | (string & {}) | readonly string[] | undefined
  /** IP_MULTICAST_TTL of what the doctor sends, 0 to 255. Default: 1, which stays on the local network. */
  ttl?: number | undefined
  /** How many ms to watch what arrives: above 0, at most 2147483647. Default: it does not watch. */
  watch?: number | undefined
  /** Whether to send nothing: neither a self-test nor anything for other doctors. Default: false. */
  quiet?: boolean | undefined
}

/** The group that is examined where none is given. */
export const ownGroup = '239.255.29.29'

/** The rules of {@link DiagnoseOptions}. */
export const subjectRules = {
  group: rule({ default: ownGroup, check: (value) => parseGroup(value) }),
  port: rule({ default: 29029, check: integer(1, 65535, 'ERR_MULTICAST_PORT') }),
  ...carrierRules,
  interfaces: rule({
    default: 'all',
    // One that is not there is what the doctor is asked about.
    check: (value, option, settled: Lookup) => parseInterfaces(value, option, settled, true),
  }),
  ttl: rule({ default: 1, check: integer(0, 255, 'ERR_MULTICAST_TTL') }),
  watch: rule({
    check: optional((value, option): number => {
      if (typeof value === 'number' && value > 0 && value <= 2 ** 31 - 1) return value
      const wanted =
        'a number of milliseconds above 0 and up to 2147483647 (leave it out not to watch)'
      throw wrongValue('ERR_MULTICAST_OPTION', option, wanted, value)
    }),
  }),
  quiet: rule({ default: false, check: isBoolean }),
} satisfies Rules

/** A sender, receiver or peer, whatever its messages are. */
export type Examinable = Pick<MulticastReceiver, 'address' | 'stats' | 'kernelDrops'>

/** What is examined. */
export interface Subject {
  readonly group: Group
  readonly port: number
  readonly interfaces: Wanted
  readonly ttl: number
  readonly watch: number | undefined
  readonly quiet: boolean
  readonly createSocket: CreateSocket
  readonly networkInterfaces: Lister
  /** What the doctor's own sockets are made of. */
  readonly carrier: Carrier
  /** Whether the sockets are the system's, of which /proc tells. */
  readonly isOfSystem: boolean
  /** What the carrier finds out by itself, if it can. */
  readonly examination: Examination | undefined
  /** Whether a group was given, or the doctor took its own, with which no other program is concerned. */
  readonly isAsked: boolean
  /** The sender, receiver or peer, if it is one. */
  readonly endpoint: Chart | undefined
}

/** Checks what {@link diagnose} is given. Throws a MulticastError. */
export function subjectOf(given: DiagnoseOptions | Examinable): Subject {
  const subject = isEndpoint(given) ? ofEndpoint(given.chart) : ofOptions(given as DiagnoseOptions)
  const { createSocket, endpoint, quiet, ttl } = subject
  const { noun, settings } = endpoint ?? {}
  const sources = settings && 'sources' in settings ? settings.sources : undefined
  const question = { ...subject, noun, sources, maySend: !quiet && ttl > 0 }
  return { ...subject, examination: examineOf(createSocket)?.(question) }
}

type Checked = Omit<Subject, 'examination'>

function ofOptions(options: DiagnoseOptions): Checked {
  const settings = resolve(subjectRules, options)
  checkCarrier(options)
  checkNotBound(options)
  const { group, port } = options
  if ((group === undefined) !== (port === undefined)) {
    throw new MulticastError(
      'ERR_MULTICAST_OPTION',
      "group and port go together: give both, or neither for the doctor's own",
    )
  }
  return {
    ...settings,
    carrier: carrierOf(options),
    isOfSystem: settings.createSocket === createSocket,
    isAsked: group !== undefined,
    endpoint: undefined,
  }
}

/** Not by its class: it may be of another copy of the package. */
function isEndpoint(given: unknown): given is { readonly chart: Chart } {
  return typeof given === 'object' && given !== null && 'kernelDrops' in given && 'chart' in given
}

function ofEndpoint(chart: Chart): Checked {
  const { settings, bound } = chart
  const port = settings.port === 0 ? (bound[0]?.port ?? 0) : settings.port
  if (port === 0) {
    const why = `The ${chart.noun} has no port yet: await its ready()`
    throw new MulticastError('ERR_MULTICAST_NOT_LISTENING', why)
  }
  const { group, interfaces, createSocket: make, networkInterfaces } = settings
  const isOfSystem = make === createSocket
  return {
    group,
    port,
    interfaces,
    ttl: ('ttl' in settings ? settings.ttl : undefined) ?? 1,
    watch: undefined,
    quiet: false,
    createSocket: make,
    networkInterfaces,
    carrier: isOfSystem ? {} : { createSocket: make, networkInterfaces: networkInterfaces.list },
    isOfSystem,
    isAsked: true,
    endpoint: chart,
  }
}

function carrierOf(options: Carrier): Carrier {
  const { createSocket, networkInterfaces, watchInterfaces, bindAddress } = options
  return { createSocket, networkInterfaces, watchInterfaces, bindAddress }
}
