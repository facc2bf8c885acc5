import type { SocketOptions } from 'node:dgram'
import { BlockList } from 'node:net'
import { invalidType, nodeError } from './node-error.js'
import { reads } from './running-node.js'

/** What `createSocket` of a host in memory takes: the options of node:dgram's. */
export interface StackSocketOptions {
  /** Its family: IPv4 or IPv6. */
  type: 'udp4' | 'udp6'
  /** SO_REUSEADDR. Default: false. */
  reuseAddr?: boolean | undefined
  /**
   * SO_REUSEPORT: sockets that all have it share a port, and each sender's unicast comes to one of them. Default:
   * false. Node reads it from 22.12 on, and on older ones it does nothing here either.
   */
  reusePort?: boolean | undefined
  /**
   * IPV6_V6ONLY. Default: false, and then the port is taken for IPv4 too. But an IPv6 socket in memory
   * never hears IPv4.
   */
  ipv6Only?: boolean | undefined
  /** SO_RCVBUF in bytes, set once it is bound. Default: the system's, 212,992 as it is read back. */
  recvBufferSize?: number | undefined
  /** SO_SNDBUF in bytes, set once it is bound. Default: the system's, 212,992 as it is read back. */
  sendBufferSize?: number | undefined
  /**
   * Finds the address of a name. It is asked about addresses too, and one that answers at once has the socket bind
   * and send at once. Default: knows `localhost`, and answers a tick later.
   */
  lookup?: SocketOptions['lookup']
  /** Closes the socket when it is aborted. */
  signal?: AbortSignal | undefined
  /** From whom nothing is heard. Node reads it from 22.13 on; on older ones it does nothing. */
  receiveBlockList?: BlockList | undefined
  /** To whom nothing is sent: `ERR_IP_BLOCKED`. Node reads it from 22.13 on; on older ones it does nothing. */
  sendBlockList?: BlockList | undefined
}

/** The options, as node:dgram of the running Node reads them. Throws where that does. */
export function readOptions(given: unknown): StackSocketOptions {
  const isBare = typeof given !== 'object' || given === null
  const options = (
    isBare ? Object.assign(Object.create(null), { type: given }) : given
  ) as StackSocketOptions
  const { type, reuseAddr, ipv6Only, recvBufferSize, sendBufferSize, lookup, signal } = options
  checkSize(recvBufferSize, 'options.recvBufferSize')
  checkSize(sendBufferSize, 'options.sendBufferSize')
  const { reusePort, receiveBlockList, sendBlockList } = options
  if (reads.blockLists) {
    checkBlockList(receiveBlockList, 'options.receiveBlockList')
    checkBlockList(sendBlockList, 'options.sendBlockList')
  }
  if (lookup !== undefined && typeof lookup !== 'function') {
    throw invalidType('lookup', 'of type function', lookup)
  }
  if (type !== 'udp4' && type !== 'udp6') {
    const message = 'Bad socket type specified. Valid types are: udp4, udp6'
    throw nodeError(TypeError, 'ERR_SOCKET_BAD_TYPE', message)
  }
  if (signal !== undefined && !isSignal(signal)) {
    throw invalidType('options.signal', 'an instance of AbortSignal', signal)
  }
  return {
    ...{ type, reuseAddr, ipv6Only, recvBufferSize, sendBufferSize, lookup, signal },
    reusePort: reads.reusePort ? reusePort : undefined,
    receiveBlockList: reads.blockLists ? receiveBlockList : undefined,
    sendBlockList: reads.blockLists ? sendBlockList : undefined,
  }
}

/** 0 and what else is as good as nothing is none. */
function checkSize(size: unknown, name: string): void {
  if (!size) return
  if (typeof size !== 'number') throw invalidType(name, 'of type number', size)
  const must = Number.isInteger(size) ? '>= 0 && <= 4294967295' : 'an integer'
  if (size >>> 0 === size) return
  const told = Math.abs(size) > 2 ** 32 && Number.isInteger(size) ? grouped(size) : `${size}`
  const message = `The value of "${name}" is out of range. It must be ${must}. Received ${told}`
  throw nodeError(RangeError, 'ERR_OUT_OF_RANGE', message)
}

/** `4_294_967_297`, as Node writes large numbers. */
function grouped(value: number): string {
  return `${value}`.replace(/\B(?=(?:\d{3})+$)/g, '_')
}

function checkBlockList(list: unknown, name: string): void {
  if (!list || list instanceof BlockList) return
  throw invalidType(name, 'an net.BlockList', list)
}

/** Any object that can tell whether it is aborted will do. */
function isSignal(signal: unknown): signal is AbortSignal {
  return typeof signal === 'object' && signal !== null && 'aborted' in signal
}
