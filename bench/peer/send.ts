// Sends as a peer of each kind, to a group that nobody else has joined. Its arguments are the group and the
// interfaces, as JSON.
import { serve } from '../program.js'
import { payload } from '../sides.js'
import { type Kind, kinds, type On, openPeer, type Peering } from './peering.js'

const [group = '', interfaces = '[]'] = process.argv.slice(2)
const on = JSON.parse(interfaces) as On[]
const peers = new Map<Kind, Peering>()
for (const kind of kinds) peers.set(kind, await openPeer(kind, group, 0, on))

serve(async ({ kind, window, count }: { kind: Kind; window: number; count: number }) => {
  const peer = peers.get(kind)
  if (peer === undefined) throw new Error(`there is no ${kind}`)
  const before = process.cpuUsage()
  let left = count
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await peer.send(payload)
    }
  }
  await Promise.all(Array.from({ length: window }, lane))
  const { user, system } = process.cpuUsage(before)
  return { cpu: user + system }
})
