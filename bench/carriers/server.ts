import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { host } from '../sides.js'
import { serverPort } from './host.js'

/** Starts a NATS server in this network, with all in memory; resolves when it takes connections, with what ends it. */
export async function startServer(): Promise<() => void> {
  const command = ['nats-server', '-a', host, '-p', String(serverPort)]
  const server = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(server, 'exit').then(() => {
    throw new Error('nats-server has ended')
  })
  ended.catch(() => {})
  const lines = createInterface(server.stderr)
  const ready = new Promise<void>((resolve) => {
    lines.on('line', (line) => /Server is ready/.test(line) && resolve())
  })
  await Promise.race([ready, ended])
  return () => server.kill('SIGKILL')
}
