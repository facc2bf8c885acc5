/** The real avahi, on a host of the lab: a message bus, the daemon, and its programs. */
import type { SpawnOptions } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from './lab.js'
import { Output } from './output.js'

/** What it needs. */
export const avahiNeeds = ['dbus-daemon', 'avahi-daemon', 'avahi-browse', 'avahi-publish']

/** The bus takes whatever comes: nobody else can reach it. */
const busConf = (path: string) => `<busconfig>
  <listen>unix:path=${path}</listen>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
`

/**
 * It believes only what comes with TTL 255, as neighbours send. It would take the loopback interface as well while it
 * knows of no other, and then tell others 127.0.0.1.
 */
const daemonConf = (name: string) => `[server]
host-name=${name}
use-ipv4=yes
use-ipv6=yes
deny-interfaces=lo
check-response-ttl=yes
[publish]
publish-hinfo=no
publish-workstation=no
`

/**
 * Its user is here whoever runs the test, who may be the only one in these namespaces. Each daemon of the lab
 * has its own /run/avahi-daemon.
 */
const setting = `
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
mkdir -p /run/avahi-daemon
mount -t tmpfs avahi /run/avahi-daemon
exec avahi-daemon --file="$1/daemon.conf" --no-drop-root --no-chroot --no-rlimits
`

export class Avahi {
  readonly #host: Host
  readonly #options: SpawnOptions

  private constructor(host: Host, options: SpawnOptions) {
    this.#host = host
    this.#options = options
  }

  /** Starts it; resolves when it has its host name, `name`, on the network. */
  static async start(host: Host, name: string): Promise<Avahi> {
    const folder = `/run/${name}`
    mkdirSync(folder)
    const write = (file: string, text: string) => writeFileSync(join(folder, file), text)
    write('bus.conf', busConf(join(folder, 'bus')))
    write('daemon.conf', daemonConf(name))
    write('passwd', 'root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n')
    write('group', 'root:x:0:\navahi:x:0:\n')
    const options: SpawnOptions = {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${join(folder, 'bus')}` },
    }
    const bus = ['dbus-daemon', '--nofork', '--nopidfile', '--print-address']
    await new Output(
      host.spawn([...bus, `--config-file=${join(folder, 'bus.conf')}`], options),
    ).line(/^unix:/)
    const command = ['unshare', '-m', 'sh', '-ec', setting, 'sh', folder]
    const daemon = host.spawn(command, options)
    await new Output(daemon, daemon.stderr).line(/Server startup complete/)
    return new Avahi(host, options)
  }

  /** Publishes a service; resolves when the daemon has it. */
  async publish(name: string, type: string, port: number, text: string): Promise<void> {
    const command = ['avahi-publish', '-s', name, type, String(port), text]
    const publisher = this.#host.spawn(command, this.#options)
    await new Output(publisher, publisher.stderr).line(/^Established/)
  }

  /** Lists services as they come and go, with what they are resolved to, for programs to read. */
  browse(type: string): Output {
    return new Output(this.#host.spawn(['avahi-browse', '-pr', type], this.#options))
  }
}
