import type { Counters } from './counters.js'
import type { Check } from './finding.js'

/** Where the datagrams stop that are not heard. */
export interface Layer {
  readonly check: Check & ('arrival' | 'rp-filter' | 'firewall' | 'port')
  /** What it may be as well, where the counters do not tell which. */
  readonly or?: readonly Layer['check'][]
}

/** What the doctor has sent meanwhile, each of which was looped back to this host, and heard of it. */
export interface Own {
  readonly sent: number
  readonly heard: number
}

/**
 * The packets for a joined group that prove nothing: a switch asks now and then who has joined (IGMP), and the
 * counters are not read at one moment.
 */
const FEW = 2

/**
 * Names the layer at which datagrams to the group stop, after a while in which its own sockets heard none
 * of others, by how much the counters have risen in it. Other traffic raises them too, so that a rise proves
 * nothing. What proves something is one that stood still, or rose by less than the one before it.
 *
 * @param isSole Whether no other group is joined that would raise them by right.
 */
export function layerOf(risen: Counters, own: Own, isSole: boolean): Layer {
  // Nothing has come in by the wire.
  if (risen.arrived === 0) return { check: 'arrival' }
  const received = Math.max(0, risen.received - own.sent)
  const multicast = Math.max(0, risen.multicast - own.sent)
  const delivered = Math.max(0, risen.delivered - own.heard)
  const { filtered, ignored } = risen
  if (multicast === 0 && filtered > 0) {
    // Whatever came was dropped so.
    const isAll = filtered > FEW && received - filtered < FEW
    return isAll ? { check: 'rp-filter' } : { check: 'rp-filter', or: ['arrival'] }
  }
  if (multicast === 0) {
    // What came and was not delivered was for a group that is not joined, or a firewall took it first.
    const isExplained = delivered >= received
    return isExplained ? { check: 'arrival' } : { check: 'arrival', or: ['firewall'] }
  }
  // Of what came to a joined group some was not delivered, and that was not this host's own.
  if (isSole && multicast - risen.looped - delivered > FEW) return { check: 'firewall' }
  const isAll = multicast > FEW && ignored === multicast && multicast === received
  if (isSole && isAll) return { check: 'port' }
  const or: Layer['check'][] = ignored > 0 ? ['port', 'arrival'] : ['arrival']
  return { check: 'firewall', or }
}
