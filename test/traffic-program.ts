/**
 * A program that sends a datagram to each of the targets it is given over IPC, again and again, until it is
 * given others: UDP as `udp ADDRESS PORT`, a TCP connection as `tcp ADDRESS PORT`.
 */
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'

let targets: readonly string[] = []
const socket = createSocket('udp4')
const [own = ''] = process.argv.slice(2)

socket.bind(0, own, () => {
  socket.setMulticastInterface(own)
  socket.setMulticastTTL(2)
  setInterval(() => {
    for (const target of targets) {
      const [kind, address = '', port] = target.split(' ')
      if (kind === 'udp') socket.send('hello', Number(port), address, () => {})
      else connect({ port: Number(port), host: address, localAddress: own }).on('error', () => {})
    }
  }, 10)
  process.on('message', (given) => {
    targets = given as string[]
    process.send?.('taken')
  })
  process.on('disconnect', () => process.exit())
  process.send?.('started')
})
