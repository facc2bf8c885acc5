/** examples/ssdp.ts with the real minissdpd, and with one who searches as that does. */
import { createSocket } from 'node:dgram'
import { on, once } from 'node:events'
import { type Host, scenario } from './lab.js'
import { Minissdpd } from './minissdpd.js'
import { Output } from './output.js'
import { build } from './tree.js'

const groups = { IPv4: '239.255.255.250', IPv6: 'ff02::c' }
const target = 'upnp:rootdevice'

/** Starts the example on a host; the URL tells which it is. */
function device(host: Host, family: 'IPv4' | 'IPv6', location: string): Output {
  const options = ['--interface', 'all', '--group', groups[family], '--location', location]
  const command = [process.execPath, `${build}/examples/ssdp.js`, ...options]
  return new Output(host.spawn(command, { stdio: ['ignore', 'pipe', 2] }))
}

scenario(
  'minissdpd and ssdp.ts find each other, on one host and on two',
  ['minissdpd'],
  async (lab) => {
    const [one, two] = [lab.host(), lab.host()]
    await lab.cable(
      [one, 'e1', '10.50.0.1/24', 'fe80::1/64'],
      [two, 'e1', '10.50.0.2/24', 'fe80::2/64'],
    )
    const found = (location: string) => new RegExp(`^found ${target} at ${location}$`)
    // Of this one the daemons hear only by its answer to what they ask when they start.
    const before = device(two, 'IPv4', 'http://before/')
    await before.line(found('http://before/'))
    const first = await Minissdpd.start(one, 'one')
    await first.until(target, 'http://before/', true)
    const second = await Minissdpd.start(two, 'two')
    await first.submit(target, 'http://theirs.one/')
    await second.submit(target, 'http://theirs.two/')

    const ours = ['one-4', 'one-6', 'two-4', 'two-6'].map((name) =>
      device(
        name.startsWith('one') ? one : two,
        name.endsWith('4') ? 'IPv4' : 'IPv6',
        `http://${name}/`,
      ),
    )
    for (const [index, output] of ours.entries()) {
      await output.line(found('http://theirs.one/'))
      await output.line(found('http://theirs.two/'))
      const family = index % 2 === 0 ? 4 : 6
      await output.line(found(`http://one-${family}/`))
      await output.line(found(`http://two-${family}/`))
    }
    for (const daemon of [first, second]) {
      for (const name of ['one-4', 'one-6', 'two-4', 'two-6']) {
        await daemon.until(target, `http://${name}/`, true)
      }
    }

    await ours[0]?.interrupt()
    await ours[1]?.interrupt()
    for (const daemon of [first, second]) {
      await daemon.until(target, 'http://one-4/', false)
      await daemon.until(target, 'http://one-6/', false)
    }
    await ours[2]?.line(/^lost upnp:rootdevice at http:\/\/one-4\/$/)
    await ours[3]?.line(/^lost upnp:rootdevice at http:\/\/one-6\/$/)
  },
)

scenario('ssdp.ts answers whoever searches from its own port on its own host', [], async (lab) => {
  await lab.cable([lab.here, 'e1', '10.50.0.1/24'], [lab.host(), 'e1', '10.50.0.2/24'])
  await device(lab.here, 'IPv4', 'http://own/').line(/^found/)
  const searcher = createSocket({ type: 'udp4', reuseAddr: true })
  searcher.bind(1900, '0.0.0.0')
  await once(searcher, 'listening')
  searcher.setMulticastInterface('10.50.0.1')
  const search = ['M-SEARCH * HTTP/1.1', 'MAN: "ssdp:discover"', 'MX: 1', `ST: ${target}`, '', '']
  searcher.send(search.join('\r\n'), 1900, groups.IPv4)
  // It is bound to any address, and so hears its own question as well.
  for await (const [data] of on(searcher, 'message')) {
    if (/^HTTP\/1\.1 200 OK\r\n(.*\r\n)*LOCATION: http:\/\/own\/\r\n/.test(String(data))) break
  }
  searcher.close()
})
