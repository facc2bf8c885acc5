/** The program behind a peer: an actor that takes its orders over IPC. */
import { Actor } from '../src/testing/conformance/actor.js'

new Actor({
  send: (news) => {
    if (process.connected) process.send?.(news)
  },
  receive: (listener) => void process.on('message', listener),
})
process.on('disconnect', () => process.exit())
process.send?.('started')
