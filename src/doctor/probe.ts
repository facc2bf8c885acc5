import { randomBytes } from 'node:crypto'

/** What a datagram of a doctor says. */
export interface Probe {
  /** The doctor that sent it: 12 hex digits that it has picked. */
  readonly id: string
  /** Which of its interfaces it sent it through, counted from 0. */
  readonly by: number
  /** The doctors that it has heard. */
  readonly heard: readonly string[]
}

/** What each begins with, so that whoever captures it sees what it is. */
const TITLE = 'typed-multicast doctor'

/** Doctors that one datagram names at most: it stays far below what a network splits. */
const MOST = 32

export function newId(): string {
  return randomBytes(6).toString('hex')
}

export function written({ id, by, heard }: Probe): string {
  const list = heard.slice(0, MOST)
  return `${TITLE} ${id}.${by}${list.length > 0 ? ` heard ${list.join(' ')}` : ''}`
}

/** Undefined for whatever is no doctor's. */
export function parsed(data: Uint8Array): Probe | undefined {
  if (data.length > 512) return undefined
  const [, id, by, list = ''] =
    /^typed-multicast doctor ([0-9a-f]{12})\.(\d{1,4})(?: heard((?: [0-9a-f]{12}){1,32}))?$/.exec(
      Buffer.from(data).toString('latin1'),
    ) ?? []
  if (id === undefined) return undefined
  return { id, by: Number(by), heard: list.split(' ').filter((one) => one !== '') }
}
