import { textOf } from './facts.js'
import { doubtful, type Finding, good } from './finding.js'
import type { Look } from './look.js'

/** The platform, containers, and what cannot be read. */
export function* system({ subject, facts }: Look): Iterable<Finding> {
  const { platform, version } = process
  const { isOfSystem, group } = subject
  if (!isOfSystem) {
    yield good('system', "This is not the system's own network: its carrier is examined instead")
    return
  }
  const kernel = textOf('/proc/version') ?? ''
  const { KUBERNETES_SERVICE_HOST: kubernetes } = process.env
  const contains = ['/.dockerenv', '/run/.containerenv'].some((path) => textOf(path) !== undefined)
  const unread = Object.entries({
    'the interfaces that are down': facts.links,
    'who holds the port': facts.sockets,
    'who has joined': facts.joined,
    'the source filters': facts.filters,
  }).flatMap(([what, fact]) => (fact === undefined ? what : []))
  let isPlain = true
  if (/microsoft/i.test(kernel)) {
    isPlain = false
    yield doubtful(
      'system',
      'WSL: its usual network (NAT) lets no multicast in from other machines',
      'set networkingMode=mirrored in .wslconfig, or run on Windows itself',
    )
  }
  if (kubernetes !== undefined || contains) {
    isPlain = false
    yield doubtful(
      'system',
      `This is a container${kubernetes === undefined ? '' : ' in Kubernetes'}: on a bridge network it hears no multicast from other machines`,
      kubernetes === undefined
        ? "run it in the host's network (docker run --network host)"
        : "run it in the host's network (hostNetwork: true), or with a network plugin that carries multicast",
    )
  }
  if (platform === 'linux' && unread.length > 0) {
    isPlain = false
    yield doubtful(
      'system',
      `/proc/net cannot be read here, so these are not checked: ${unread.join(', ')}`,
      'permission' in process && process.permission
        ? 'start Node with --allow-fs-read=/proc'
        : 'run the doctor where /proc is mounted',
    )
  }
  if (!isPlain) return
  const limits =
    platform === 'linux'
      ? group.family === 'IPv4'
        ? ''
        : '. IPv6: by the passive look, the self-test and what arrives, not by counters'
      : '. Who holds the port, who has joined and where datagrams are dropped can be seen on Linux only'
  yield good('system', `${platform}, Node ${version}${limits}`)
}
