import {
  integer,
  isBoolean,
  isFunction,
  optional,
  type Rules,
  resolve,
  rule,
  type Settings,
  wrongValue,
} from '../rules.js'

/** A datagram that has reached a host, before the host hears it. */
export interface Transit {
  /** Its bytes. They are a copy: changing them changes nothing. */
  readonly data: Buffer
  /** The name of the host that sent it, and the address and port that it was sent from. */
  readonly from: { readonly host: string; readonly address: string; readonly port: number }
  /** The name of the host that it has reached, and the address and port that it was sent to. */
  readonly to: { readonly host: string; readonly address: string; readonly port: number }
  /** How many networks it may still cross: the TTL it was sent with, less one for each router. */
  readonly ttl: number
}

/** What becomes of one datagram at one host. Whatever is left out is decided by chance. */
export interface Fate {
  /** True: it is lost there. False: it is not lost, whatever `loss` is. */
  lost?: boolean | undefined
  /** How many milliseconds it takes, instead of `latency` and `jitter`. */
  delay?: number | undefined
  /** How many copies arrive, instead of what `duplication` decides. */
  copies?: number | undefined
}

/**
 * What goes wrong on the way. It is decided separately for each interface that a datagram reaches, including
 * the sender's own.
 */
export interface Faults {
  /** The share of datagrams that are lost, from 0 to 1. Default: 0. */
  loss?: number | undefined
  /** The share of datagrams that arrive twice, from 0 to 1. Default: 0. */
  duplication?: number | undefined
  /**
   * The share of datagrams that are overtaken by the next one from the same host to the same interface, from 0 to 1.
   * One that overtakes is not overtaken itself. If no other follows at once, it arrives a little later. Default: 0.
   */
  reordering?: number | undefined
  /**
   * How many milliseconds each datagram takes, by whatever `setTimeout` is at the time, so fake timers control
   * it; it counts whole milliseconds. Default: 0, the next turn of the event loop, without a timer.
   */
  latency?: number | undefined
  /** Up to this many milliseconds more, at random, so that datagrams overtake each other. Default: 0. */
  jitter?: number | undefined
  /**
   * Called for each datagram at each interface that it reaches, to decide its {@link Fate}. An error it throws is
   * uncaught. Default: none, chance decides everything.
   */
  rule?: ((transit: Transit) => Fate | undefined) | undefined
}

const share = (value: unknown, option: string): number => {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw wrongValue('ERR_MULTICAST_OPTION', option, 'a number from 0 to 1', value)
}

const duration = (value: unknown, option: string): number => {
  if (typeof value === 'number' && value >= 0 && value <= 2 ** 31 - 1) return value
  throw wrongValue(
    'ERR_MULTICAST_OPTION',
    option,
    'a number of milliseconds from 0 to 2147483647',
    value,
  )
}

const count = integer(0, Number.MAX_SAFE_INTEGER)

export const faultRules = {
  loss: rule({ default: 0, check: share }),
  duplication: rule({ default: 0, check: share }),
  reordering: rule({ default: 0, check: share }),
  latency: rule({ default: 0, check: duration }),
  jitter: rule({ default: 0, check: duration }),
  rule: rule({ check: optional(isFunction<NonNullable<Faults['rule']>>) }),
} satisfies Rules

export type FaultSettings = Settings<typeof faultRules>

/** What becomes of one datagram at one host: why it is lost, or after how many ms each copy arrives. */
export type Verdict =
  | { readonly lostBy: 'loss' | 'rule' }
  | {
      readonly delays: readonly number[]
      /** Whether the next one overtakes it. */
      readonly overtaken: boolean
    }

/** Chance, from a seed and the name of what it decides about: the same draws for the same two. */
export class Chance {
  #state: number

  constructor(seed: number, name: string) {
    // Each byte changes all that follows: the hash known as FNV-1a.
    let state = 0x811c9dc5
    for (const byte of Buffer.from(`${seed} ${name}`)) state = Math.imul(state ^ byte, 0x01000193)
    this.#state = state
  }

  /** From 0 up to, but without, 1: the generator known as mulberry32. */
  draw(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Decides about one datagram at one host. */
export function judge(
  faults: FaultSettings,
  chance: () => Chance,
  transit: () => Transit,
): Verdict {
  const { loss, duplication, reordering, latency, jitter, rule } = faults
  const hits = (share: number): boolean => share > 0 && chance().draw() < share
  const fate = rule === undefined ? undefined : checkFate(rule(transit()))
  if (fate?.lost ?? hits(loss)) return { lostBy: fate?.lost ? 'rule' : 'loss' }
  const copies = fate?.copies ?? (hits(duplication) ? 2 : 1)
  if (copies === 0) return { lostBy: 'rule' }
  const overtaken = hits(reordering)
  const delays: number[] = []
  for (let copy = 0; copy < copies; copy += 1) {
    delays.push(fate?.delay ?? latency + (jitter > 0 ? chance().draw() * jitter : 0))
  }
  return { delays, overtaken }
}

const fateRules = {
  lost: rule({ check: optional(isBoolean) }),
  delay: rule({ check: optional(duration) }),
  copies: rule({ check: optional(count) }),
} satisfies Rules

function checkFate(fate: Fate | undefined): Settings<typeof fateRules> | undefined {
  if (fate === undefined) return undefined
  const isRecord = typeof fate === 'object' && fate !== null && !Array.isArray(fate)
  if (!isRecord || fate instanceof Promise) {
    throw wrongValue('ERR_MULTICAST_OPTION', 'What rule returns', 'a fate or undefined', fate)
  }
  return resolve(fateRules, fate)
}
