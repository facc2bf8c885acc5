// Receives as a peer, and tells what that cost this process. Its arguments are the kind, the batch, the port
// for acknowledgements, and the interfaces as JSON.
import { acknowledge } from '../acknowledging.js'
import { group } from '../sides.js'
import { type Kind, type On, openPeer } from './peering.js'

const [kind, batch, port, interfaces = '[]'] = process.argv.slice(2)
const peer = await openPeer(kind as Kind, group, 0, JSON.parse(interfaces) as On[])
await acknowledge(peer, Number(batch), Number(port))
