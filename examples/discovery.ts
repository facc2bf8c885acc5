/**
 * Discovery: a question to the group, and the answers of whoever is there. Three services listen; two
 * of them are printers and say so. `request()` gathers the answers until none has come for a second.
 *
 * It prints, the printers in the order in which they answer:
 *
 *     north prints at 127.0.0.1:8001
 *     south prints at 127.0.0.1:8002
 *     no more answers
 */
import { json, MulticastReceiver, MulticastSender, text } from 'typed-multicast'

interface Service {
  name: string
  port: number
}

const network = {
  group: '239.255.29.71',
  port: 10001,
  interfaces: '127.0.0.1',
  codec: text,
  replyCodec: json<Service>(),
}

function serve(kind: string, service: Service): MulticastReceiver<string, Service> {
  const receiver = new MulticastReceiver(network)
  receiver.on('message', (wanted, remote) => {
    if (wanted === kind) receiver.reply(service, remote).catch(console.error)
  })
  return receiver
}

const services = [
  serve('printer', { name: 'north', port: 8001 }),
  serve('printer', { name: 'south', port: 8002 }),
  serve('scanner', { name: 'west', port: 8003 }),
]
await Promise.all(services.map((service) => service.ready()))

const sender = new MulticastSender(network)
for await (const { message, remote } of sender.request('printer', { timeout: 1000 })) {
  console.log(`${message.name} prints at ${remote.address}:${message.port}`)
}
console.log('no more answers')

await Promise.all([sender, ...services].map((endpoint) => endpoint.close()))
