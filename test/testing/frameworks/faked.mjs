// Loaded by early.*.test.mjs once the timers are fake, so that what the library would take from globalThis
// while it is loaded is fake too; by late.*.test.mjs before.
import { MulticastReceiver, MulticastSender, text } from 'typed-multicast'
import { MockNetwork } from 'typed-multicast/testing'
import { find, printer, seeker } from './printers.js'

/** `pass` lets fake time pass, together with what happens meanwhile; `runAll` ends every fake timer. */
export async function faked(pass, runAll) {
  return { answers: await asked(pass), followed: await followed(pass, runAll) }
}

async function asked(pass) {
  const network = new MockNetwork({ latency: 300 })
  const north = await printer('north', network.host()).ready()
  const laptop = await seeker(network.host()).ready()
  const answers = []
  for (const latency of [300, 600]) {
    network.setFaults({ latency })
    const found = find('north', laptop)
    await pass(1200)
    answers.push(await found)
  }
  await network.settled()
  await Promise.all([north.close(), laptop.close()])
  return answers
}

/** Milliseconds of a clock that none of the frameworks fakes. */
function real(ms) {
  return new Promise((resolve) => AbortSignal.timeout(ms).addEventListener('abort', resolve))
}

/** Two that follow their interfaces: the one is told of the changes by its host, the other has to look. */
async function followed(pass, runAll) {
  const network = new MockNetwork()
  const [speaker, telling, silent] = [1, 2, 3].map(() => network.host())
  let looks = 0
  const looked = {
    createSocket: silent.createSocket,
    networkInterfaces() {
      looks += 1
      return silent.networkInterfaces()
    },
  }
  const events = { told: [], looked: [], waiting: [] }
  const where = { group: '239.1.2.3', port: 10000, codec: text }
  const follow = (name, carrier, interfaces) => {
    const options = {
      ...where,
      interfaces,
      followInterfaces: true,
      bindAddress: 'group',
      ...carrier,
    }
    const receiver = new MulticastReceiver(options)
    receiver.on('membership', (change, on) => events[name].push(`${change} ${on.interface}`))
    receiver.on('message', (message) => events[name].push(message))
    return receiver.ready()
  }
  telling.remove('eth0')
  silent.remove('eth0')
  const receivers = [
    await follow('told', telling, 'eth0'),
    await follow('looked', looked, 'eth0'),
    // It alone holds the process, as the clock and the sockets do not.
    await follow('waiting', looked, 'nosuch0'),
  ]
  const sender = await new MulticastSender({ ...where, ...speaker }).ready()

  telling.add('eth0')
  await pass(100)
  await sender.send('told')
  await pass(100)
  telling.down('eth0')
  telling.up('eth0')
  telling.readdress('eth0', ['10.0.9.9/16'])
  telling.remove('eth0')
  await pass(100)

  silent.add('eth0')
  for (let waits = 0; events.looked.length === 0 && waits < 150; waits += 1) {
    await real(100)
    await pass(1)
  }
  await sender.send('looked')
  await pass(100)

  const before = looks
  await pass(60_000)
  const isDrivenByFakes = looks - before > 10
  await runAll()
  await Promise.all([...receivers, sender].map((endpoint) => endpoint.close()))
  return { ...events, isDrivenByFakes }
}

export const expected = {
  answers: ['10.0.0.1', undefined],
  followed: {
    told: ['joined eth0', 'told', 'lost eth0'],
    looked: ['joined eth0', 'looked'],
    waiting: [],
    isDrivenByFakes: false,
  },
}
