/**
 * `npm run demo`: receiver.ts twice and sender.ts once, as separate processes on the loopback
 * interface. Prints what each of them prints, after its name, and a line of its own at the end.
 * Exits with 1 if anything is missing, and gives up after nine seconds.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
let printed = ''

/** Starts an example; resolves once it has printed something, or has ended without. */
async function start(name: string, example: string) {
  const args = ['--import', import.meta.resolve('tsx'), `examples/${example}.ts`]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const late = setTimeout(() => child.kill('SIGKILL'), 9000 - performance.now())
  const closed = once(child, 'close').finally(() => clearTimeout(late))
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    printed += `${line}\n`
    console.log(`${name.padEnd(10)} | ${line}`)
  })
  await Promise.race([once(lines, 'line'), closed])
  return { closed, interrupt: () => child.kill('SIGINT') }
}

const receivers = await Promise.all(
  ['receiver 1', 'receiver 2'].map((name) => start(name, 'receiver')),
)
const sender = await start('sender', 'sender')
await sender.closed
for (const receiver of receivers) receiver.interrupt() // Ctrl-C: they would wait for more.
await Promise.all(receivers.map(({ closed }) => closed))

const count = (pattern: RegExp) => printed.match(pattern)?.length ?? 0
const heard = count(/^received 群發的消息,你不必回 /gm)
const replies = count(/^received 組播消息已經收到 /gm)
const timeouts = count(/^timed out, no more replies$/gm)
console.log(`demo       | ${heard} messages heard, ${replies} replies, ${timeouts} timeout`)
if (heard < 2 || replies < 2 || timeouts < 1) {
  console.error('demo       | Something is missing: the lines above should tell why.')
  process.exitCode = 1
}
