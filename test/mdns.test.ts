/** examples/mdns.ts with the real avahi, and with what was recorded of it. */
import { Avahi, avahiNeeds } from './avahi.js'
import { type Host, scenario } from './lab.js'
import { Output } from './output.js'
import { build } from './tree.js'

/** Starts the example on a host, on its two interfaces' groups. */
function announce(host: Host, name: string, serves: number): Output {
  const command = [process.execPath, `${build}/examples/mdns.js`, '--interface', 'e1']
  const groups = ['--group', '224.0.0.251', '--group', 'ff02::fb']
  const service = ['--type', '_thing._tcp', '--name', name, '--serves', String(serves)]
  return new Output(
    host.spawn([...command, ...groups, ...service, '--txt', 'a=1', '--txt', 'b'], {
      stdio: ['ignore', 'pipe', 2],
    }),
  )
}

/** As avahi-browse prints what it has resolved: the texts the last first. */
const resolved = (family: string, name: string, address: string, port: number) =>
  new RegExp(`^=;e1;${family};${name};_thing._tcp;local;[^;]*;${address};${port};"b" "a=1"$`)

/** 'ours on ü' and 'ours.on two', as avahi-browse escapes them, in a pattern. */
const browsed = [String.raw`ours\\032on\\032\\195\\188`, String.raw`ours\\\.on\\032two`] as const

scenario('avahi and mdns.ts find each other, on one host and on two', avahiNeeds, async (lab) => {
  const [one, two] = [lab.host(), lab.host()]
  await lab.cable(
    [one, 'e1', '10.50.0.1/24', 'fe80::1/64'],
    [two, 'e1', '10.50.0.2/24', 'fe80::2/64'],
  )
  // On one host the daemon is there before, on the other after.
  const ours = [announce(two, 'ours.on two', 2002)]
  await ours[0]?.line(/^found ours.on two: fe80::2/)
  const avahis = await Promise.all([Avahi.start(one, 'one'), Avahi.start(two, 'two')])
  ours.unshift(announce(one, 'ours on ü', 2001))
  const [first, second] = avahis
  await first.publish('theirs on one', '_thing._tcp', 1001, 'c=3')
  await second.publish('theirs.on ü', '_thing._tcp', 1002, 'c=4')
  const lists = avahis.map((avahi) => avahi.browse('_thing._tcp'))
  for (const list of lists) {
    await list.line(resolved('IPv4', browsed[0], '10.50.0.1', 2001))
    await list.line(resolved('IPv6', browsed[0], 'fe80::1', 2001))
    await list.line(resolved('IPv4', browsed[1], '10.50.0.2', 2002))
    await list.line(resolved('IPv6', browsed[1], 'fe80::2', 2002))
  }
  for (const output of ours) {
    await output.line(/^found theirs on one: 10\.50\.0\.1 port 1001, c=3$/)
    await output.line(/^found theirs on one: fe80::1 port 1001, c=3$/)
    await output.line(/^found theirs.on ü: 10\.50\.0\.2 port 1002, c=4$/)
    await output.line(/^found theirs.on ü: fe80::2 port 1002, c=4$/)
  }
  await ours[0]?.interrupt()
  for (const list of lists) {
    await list.line(new RegExp(`^-;e1;IPv4;${browsed[0]};`))
    await list.line(new RegExp(`^-;e1;IPv6;${browsed[0]};`))
  }
  await ours[1]?.line(/^lost ours on ü$/)
})
