import { setImmediate as turn } from 'node:timers/promises'
import { maxPayload } from '../address.js'
import { type Examination, type Question, type Tryable, tooSlow } from '../doctor/examination.js'
import { bad, doubtful, type Finding, good } from '../doctor/finding.js'
import { inTime } from '../doctor/patience.js'
import { reasonOf } from '../errors.js'
import type { Link } from '../stack/link.js'
import { staysOnHost } from '../stack/scope.js'
import type { NatsMessage, NatsSubscription } from './connection.js'
import { headerSize, withHeader } from './header.js'
import type { Session } from './session.js'
import { kindOf, subjectOf } from './subject.js'

const permit =
  'change the permissions of its user at the server, or give the carrier the address that they are for (address): docs/carriers.md, Subjects and permissions, has some to copy'

/** What is examined. */
interface Examined {
  readonly session: Session
  readonly prefix: string
  readonly link: Link
  /** Nobody else has it. */
  readonly id: Buffer
  /** The subjects that the server has refused to publish to. */
  readonly denied: Set<string>
  readonly stats: () => Readonly<
    Record<'denied' | 'disconnects' | 'failed' | 'malformed' | 'overflowed', number>
  >
}

/** What the doctor finds out of a NATS server. */
export class NatsExamination implements Examination {
  readonly remedy: string
  readonly #of: Examined
  readonly #question: Question
  /** How often the server had forbidden something, and was lost, before. */
  readonly #before: Readonly<Record<'denied' | 'disconnects', number>>
  #isRefused = false
  /** Whether it has told that the server is not there. */
  #isGone = false

  constructor(of: Examined, question: Question) {
    this.#of = of
    this.#question = question
    this.#before = of.stats()
    this.remedy = `look whether another program sends, by the same server, account and prefix (${of.prefix})`
  }

  async *look(): AsyncGenerator<Finding, Tryable> {
    const { session } = this.#of
    const { connection } = session
    const gone = this.#gone()
    if (gone !== undefined) {
      this.#isGone = true
      yield gone
      return 'nothing'
    }
    const silence = await this.#silence()
    if (silence !== undefined) {
      yield silence
      return 'nothing'
    }
    const { disconnects } = this.#before
    const lost = disconnects > 0 ? `. Times that it was lost: ${disconnects}` : ''
    const which = connection.getServer === undefined ? '' : ` ${connection.getServer()}`
    yield good('connection', `The NATS server${which} answers${lost}`)
    const largest = connection.info?.max_payload ?? Number.POSITIVE_INFINITY
    const needed = maxPayload[this.#question.group.family] + headerSize
    if (largest < needed) {
      const seen = `The server takes messages of up to ${largest} bytes: a datagram of more than ${largest - headerSize} is refused`
      yield doubtful('connection', seen, `send no larger ones, or set its max_payload to ${needed}`)
    }
    return yield* this.#permissions()
  }

  /** That the server is not there, if so. */
  #gone(): Finding | undefined {
    const { end, isUp } = this.#of.session
    if (end !== undefined) {
      const seen = `The connection to the NATS server is closed for good: ${reasonOf(end)}`
      const remedy = 'connect anew, with maxReconnectAttempts: -1, and make a new carrier of it'
      return bad('connection', seen, remedy)
    }
    if (isUp) return undefined
    const seen = 'The NATS server is away, and the client looks for it'
    return bad('connection', seen, 'start the server, or look whether it can be reached')
  }

  /** That the server does not answer to what it is asked, if so. */
  async #silence(ask = (): void => {}): Promise<Finding | undefined> {
    try {
      ask()
      if (await inTime(this.#of.session.flushed())) return undefined
      throw new Error('it has just gone')
    } catch (error) {
      const seen = `The NATS server does not answer: ${reasonOf(error)}`
      return bad('connection', seen, 'look at the server, and at the network between')
    }
  }

  /** Asks for what a receiver asks for, and publishes what no socket hears, since it is to port 0. */
  async *#permissions(): AsyncGenerator<Finding, Tryable> {
    const { prefix, link } = this.#of
    const { group, noun, sources = ['*'], maySend } = this.#question
    const own = link.addresses.find(({ family }) => family === group.family)?.address
    // The interfaces tell that there is none.
    if (own === undefined) return 'hearing'
    if (staysOnHost(group.address)) return 'all'
    const kind = kindOf(link, group.address)
    const toGroup = subjectOf(prefix, { kind, destination: group.address, source: own })
    const ofGroup =
      kind === 'group'
        ? sources.map((source) => subjectOf(prefix, { kind, destination: group.address, source }))
        : []
    const wanted = [
      subjectOf(prefix, { kind: 'all', destination: '*', source: '*' }),
      subjectOf(prefix, { kind: 'host', destination: own, source: '*' }),
      ...ofGroup,
    ]
    const isKnown = this.#of.denied.has(toGroup)
    const { refused, isBack, silence } = await this.#try(wanted, maySend ? toGroup : undefined)
    if (silence !== undefined) {
      yield silence
      return 'nothing'
    }
    const isDeaf = refused.length > 0
    const isMute = this.#of.denied.has(toGroup)
    // A send of the program is told only of what the program has sent.
    if (!isKnown) this.#of.denied.delete(toGroup)
    this.#isRefused = isDeaf || isMute
    if (isDeaf) {
      const seen = `The server does not let this program subscribe to ${refused.join(', ')}`
      // What a sender hears is replies.
      const isNeeded = noun !== 'sender' || refused.some((subject) => !ofGroup.includes(subject))
      yield (isNeeded ? bad : doubtful)('permission', seen, permit)
    } else {
      yield good('permission', `The server lets this program subscribe to ${wanted.join(', ')}`)
    }
    if (isMute) {
      const seen = `The server does not let this program publish to ${toGroup}`
      // What a receiver sends is replies.
      yield (noun === 'receiver' ? doubtful : bad)('permission', seen, permit)
    } else if (maySend) {
      const more = isBack ? ', and what is published there comes back from it' : ''
      yield good('permission', `The server lets this program publish to ${toGroup}${more}`)
    }
    return isDeaf ? 'nothing' : isMute ? 'hearing' : 'all'
  }

  /** What of that the server refuses to send here, and whether what is published comes back. */
  async #try(
    wanted: readonly string[],
    toGroup: string | undefined,
  ): Promise<{ refused: readonly string[]; isBack: boolean; silence: Finding | undefined }> {
    const { session, id, denied } = this.#of
    const { connection } = session
    const refused: string[] = []
    let isBack = false
    const subscriptions: NatsSubscription[] = []
    const silence = await this.#silence(() => {
      for (const subject of wanted) {
        const callback = (error: Error | null, message: NatsMessage): void => {
          if (error !== null) refused.push(subject)
          else if (message.subject === toGroup) isBack = true
        }
        subscriptions.push(connection.subscribe(subject, { callback }))
      }
      if (toGroup === undefined) return
      denied.delete(toGroup)
      const data = Buffer.alloc(0)
      connection.publish(toGroup, withHeader({ id, sourcePort: 0, port: 0, data }))
    })
    // What the server has refused is told in a later turn.
    await turn()
    for (const subscription of subscriptions) subscription.unsubscribe()
    return { refused, isBack, silence }
  }

  async *end(): AsyncIterable<Finding> {
    const { malformed, overflowed, failed, disconnects } = this.#of.stats()
    const gone = this.#isGone ? undefined : this.#gone()
    if (gone !== undefined) yield gone
    else if (disconnects > this.#before.disconnects) {
      const seen = 'The NATS server was lost meanwhile, and is back'
      yield doubtful('connection', seen, 'run the doctor again')
    }
    const { denied } = this.#before
    if (denied > 0 && !this.#isRefused) {
      const seen = `The server has forbidden this program to publish or subscribe ${denied} times, for instance when it replied`
      yield doubtful('permission', seen, permit)
    }
    if (failed > 0) {
      const seen = `${failed} datagrams were refused: the server was away, has forbidden them, or takes none so large`
      yield doubtful('connection', seen, 'look at the errors of send() and reply()')
    }
    if (overflowed > 0) yield tooSlow(overflowed)
    if (malformed > 0) {
      const seen = `${malformed} messages on the subjects were not this carrier's, and were ignored`
      yield doubtful('arrival', seen, 'take another prefix than programs that use NATS otherwise')
    }
  }
}
