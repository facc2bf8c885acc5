/** The commands, as somebody types them. All of it stays on 127.0.0.1. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { command } from '../src/cli/command.js'
import { MulticastReceiver, MulticastSender, text } from '../src/index.js'
import { scenario } from './lab.js'
import { group, keep } from './loopback.js'
import { Output } from './output.js'
import { build } from './tree.js'

const main = join(build, 'src/cli/main.js')
const here = ['--interface', '127.0.0.1']

interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

/** A command that runs. */
class Command {
  readonly child: ChildProcess
  out = ''
  err = ''

  constructor(...args: string[]) {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    this.child = spawn(process.execPath, [main, ...args], { env })
    this.child.stdout?.setEncoding('utf8').on('data', (data) => {
      this.out += data
    })
    this.child.stderr?.setEncoding('utf8').on('data', (data) => {
      this.err += data
    })
  }

  /** Resolves when it has printed that, to either. */
  async printed(what: RegExp): Promise<void> {
    const { stdout, stderr } = this.child
    while (!what.test(this.out + this.err)) {
      await Promise.race([once(stdout ?? this.child, 'data'), once(stderr ?? this.child, 'data')])
    }
  }

  async end(): Promise<Ended> {
    if (this.child.exitCode === null) await once(this.child, 'close')
    return { status: this.child.exitCode, out: this.out, err: this.err }
  }
}

/** A free port, of a receiver that has gone. */
async function freePort(): Promise<number> {
  const receiver = new MulticastReceiver({ group, port: 0, interfaces: '127.0.0.1' })
  await receiver.ready()
  const { port } = receiver.address()
  await receiver.close()
  return port
}

function run(t: TestContext, ...args: string[]): Command {
  const command = new Command(...args)
  t.after(() => command.child.kill('SIGKILL'))
  return command
}

async function listening(t: TestContext, ...flags: string[]) {
  const port = await freePort()
  const command = run(t, 'listen', group, String(port), ...here, ...flags)
  await command.printed(/listening to/)
  return { command, port }
}

test('what one sends the other prints, and what would steer a terminal is escaped', async (t) => {
  const { command, port } = await listening(t, '--count', '4', '--stats')
  const sent = run(t, 'send', group, String(port), 'hello', 'a\x1b[2Jb\u202e', ...here)
  const { status, out, err } = await sent.end()
  assert.deepEqual({ status, out }, { status: 0, out: '' })
  assert.match(err, /^sent 5 bytes through lo\nsent 9 bytes through lo\n$/)
  const struct = ['--struct', '<hf?4s', ...here, '--', '-1', '3.5', 'true', 'ab']
  assert.equal((await run(t, 'send', group, String(port), ...struct).end()).status, 0)
  const input = run(t, 'send', group, String(port), '-', ...here)
  input.child.stdin?.end('one line\n')
  assert.equal((await input.end()).status, 0)
  const heard = await command.end()
  assert.equal(heard.status, 0)
  const lines = heard.out.split('\n').map((line) => line.replace(/^127\.0\.0\.1 port \d+: /, ''))
  assert.deepEqual(lines, [
    'hello',
    'a\\x1B[2Jb\\u{202E}',
    'ffff000060400161620000',
    'one line',
    '',
  ])
  assert.match(heard.err, /listening to 239\.\S+ port \d+ on lo/)
})

for (const { flag, data, shown } of [
  { flag: ['--hex'], data: 'hi', shown: '6869' },
  { flag: ['--json'], data: '{"a": [1, "\\u001b"]}', shown: '{"a":[1,"\\u001b"]}' },
  { flag: ['--json'], data: '\x1b', shown: /^1b \(.*\)$/ },
  { flag: ['--struct', '<2s'], data: 'hi', shown: '<Buffer 68 69>' },
  { flag: ['--struct', '<I'], data: 'hi', shown: /^6869 \(it has 2 bytes, and <I 4\)$/ },
  { flag: ['--text'], data: Buffer.from([0xff]), shown: /^ff \(it is not UTF-8\)$/ },
  { flag: [], data: Buffer.from([0xff]), shown: 'ff' },
]) {
  test(`listen ${flag.join(' ')} prints ${String(shown)}`, async (t) => {
    const { command, port } = await listening(t, '--count', '1', ...flag)
    const sender = keep(new MulticastSender({ group, port, interfaces: '127.0.0.1' }))
    await sender.send(data)
    const { status, out } = await command.end()
    assert.equal(status, 0)
    const line = out.replace(/^127\.0\.0\.1 port \d+: /, '').trimEnd()
    if (typeof shown === 'string') assert.equal(line, shown)
    else assert.match(line, shown)
    assert.ok(!out.includes('\x1b'))
  })
}

test('send --wait prints the replies, and tells by its status whether there were any', async (t) => {
  const options = { group, port: 0, interfaces: '127.0.0.1', codec: text }
  const receiver = keep(new MulticastReceiver(options))
  receiver.on('message', (message, remote) => receiver.reply(`${message}!`, remote))
  await receiver.ready()
  const { port } = receiver.address()
  const args = ['send', group, String(port), 'hi', ...here, '--wait', '300']
  const answered = await run(t, ...args).end()
  assert.equal(answered.status, 0)
  assert.match(answered.out, /^127\.0\.0\.1 port \d+: hi!\n$/)
  await receiver.close()
  const alone = await run(t, ...args).end()
  assert.equal(alone.status, 1)
  assert.match(alone.err, /^sent 2 bytes through lo\nno reply in 300 ms\n$/)
})

test('listen ends at Ctrl-C, in silence, and where nobody reads what it prints', async (t) => {
  const one = await listening(t)
  one.command.child.kill('SIGINT')
  assert.equal((await one.command.end()).status, 0)
  const silent = await run(t, 'listen', group, '1024', ...here, '--timeout', '50').end()
  assert.equal(silent.status, 1)
  assert.match(silent.err, /\nnothing in 50 ms; typed-multicast doctor 239\S+ 1024 may say why\n$/)
  const other = await listening(t)
  other.command.child.stdout?.destroy()
  const sender = keep(new MulticastSender({ group, port: other.port, interfaces: '127.0.0.1' }))
  for (let tries = 1; other.command.child.exitCode === null; tries += 1) {
    assert.ok(tries <= 500, 'it goes on although nobody reads what it prints')
    await sender.send('into a pipe that is broken')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { status, err } = await other.command.end()
  assert.equal(status, 0)
  assert.doesNotMatch(err, /EPIPE/)
})

test('listen ends quietly where nobody reads what it says of itself', async (t) => {
  const { command } = await listening(t, '--stats')
  command.child.stderr?.destroy()
  assert.equal((await command.end()).status, 0)
})

scenario('listen waits for an interface where there is none', [], async (lab, t) => {
  const host = lab.host()
  host.ip('link set lo down')
  const args = [process.execPath, main, 'listen', group, '10000', '--count', '1']
  const child = host.spawn(args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const [said] = await once(child.stderr?.setEncoding('utf8') ?? child, 'data')
  assert.match(said, /^listening to 239\.\S+ port 10000 on no interface yet\n$/)
  host.ip('link set lo up')
  const sending = () =>
    host.spawn([process.execPath, main, 'send', group, '10000', 'x'], { stdio: 'ignore' })
  const timer = setInterval(sending, 500)
  t.after(() => clearInterval(timer))
  const [heard] = await once(child.stdout?.setEncoding('utf8') ?? child, 'data')
  assert.match(heard, /^127\.0\.0\.1 port \d+: x\n$/)
})

scenario('send fails where there is no interface, which is no wrong usage', [], async (lab) => {
  const host = lab.host()
  host.ip('link set lo down')
  const args = [process.execPath, main, 'send', group, '10000', 'x']
  const child = host.spawn(args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const output = new Output(child, child.stderr)
  const [status] = await once(child, 'close')
  assert.equal(status, 1)
  const [said = '', ...more] = output.lines
  assert.match(said, /^There is no interface with an IPv4 address to send through: /)
  assert.deepEqual(more, [])
})

test('send says so where there is nothing to send', async (t) => {
  const input = run(t, 'send', group, '10000', '-', ...here)
  input.child.stdin?.end()
  const { status, err } = await input.end()
  assert.deepEqual([status, err], [1, 'Standard input has no line: nothing was sent\n'])
})

for (const { args, why } of [
  { args: [], why: /^Usage: typed-multicast COMMAND/ },
  {
    args: ['lisen'],
    why: /^There is no command 'lisen': did you mean 'listen'\?\n\nUsage: typed-multicast COMMAND/,
  },
  { args: ['hear'], why: /^There is no command 'hear'\n\nUsage: typed-multicast COMMAND/ },
  { args: ['toString'], why: /^There is no command 'toString'\n/ },
  { args: ['listen'], why: /^GROUP and PORT are missing/ },
  {
    args: ['listen', group],
    why: /^PORT is missing: give a number after the group, for example 239\.[\d.]+ 10000$/,
  },
  { args: ['listen', `${group}:1`], why: /^GROUP and PORT are separate: 239\.[\d.]+ 1$/ },
  { args: ['listen', '[ff15::7]:1'], why: /^GROUP and PORT are separate: ff15::7 1$/ },
  { args: ['listen', 'ff15::7:1'], why: /^PORT is missing: .* ff15::7:1 10000$/ },
  { args: ['listen', '1', group], why: /^PORT must be an integer/ },
  { args: ['listen', group, '1', 'x\x1b'], why: /^Only GROUP and PORT are expected, not x\\x1B/ },
  { args: ['listen', '10.0.0.1', '1'], why: /^group must be a multicast address/ },
  { args: ['listen', group, '65536'], why: /^PORT must be an integer from 1 to 65535/ },
  { args: ['listen', group, '1', '--foo'], why: /^Unknown option '--foo': --help lists/ },
  {
    args: ['listen', group, '1', '--iface', 'lo'],
    why: /^Unknown option '--iface': did you mean '--interface'\? --help lists the options$/,
  },
  { args: ['send', group, '1', 'x', '--intervall=5'], why: /did you mean '--interval'\?/ },
  { args: ['doctor', '--hops', '5'], why: /did you mean '--ttl'\?/ },
  { args: ['listen', group, '1', '--halp'], why: /did you mean '--help'\?/ },
  { args: ['listen', group, '1', '--timeout', '-5'], why: /^Option '--timeout'[^\\\n]*$/ },
  { args: ['listen', group, '1', '--text', '--hex'], why: /^--text and --hex exclude each other/ },
  { args: ['listen', group, '1', '--struct', '<y'], why: /^'<y' is not a struct format/ },
  { args: ['listen', group, '1', '--count', '0'], why: /^--count must be an integer from 1/ },
  { args: ['listen', group, '1', '--source', 'x'], why: /^A source must be a unicast IPv4/ },
  {
    args: ['listen', group, '1', '--interface', 'eth99'],
    why: /^--interface is 'eth99', which is not an interface/,
  },
  {
    args: ['send', group, '1', 'x', '--interface', 'eth99'],
    why: /^--interface is 'eth99', which is not an interface/,
  },
  { args: ['send', group, '1'], why: /^MESSAGE is missing/ },
  { args: ['send', group, '1', '-1'], why: /^Unknown option '-1'.*'--'/ },
  {
    args: ['send', group, '1', 'x', '--ttl', '256'],
    why: /^--ttl must be an integer from 0 to 255/,
  },
  { args: ['send', group, '1', '-', '--count', '2'], why: /^standard input can be sent once/ },
  { args: ['send', group, '1', '--struct', '<b', '300'], why: /^300 does not fit <b: .*-128/ },
  { args: ['send', group, '1', '--struct', '<b', 'x'], why: /^b takes an integer, .* 'x'/ },
  { args: ['send', group, '1', '--struct', '<f', ''], why: /^f takes a number, .* ''/ },
  { args: ['send', group, '1', '--struct', '<?', '2'], why: /^\? takes true or false/ },
  { args: ['send', group, '1', '--struct', '<bb', '1'], why: /^<bb takes 2 values, and 1 were/ },
]) {
  test(`used wrongly: ${args.join(' ')}`, async (t) => {
    const [out, err] = [
      t.mock.method(console, 'log', () => {}),
      t.mock.method(console, 'error', () => {}),
    ]
    assert.equal(await command(args), 2)
    assert.equal(out.mock.callCount(), 0)
    assert.match(String(err.mock.calls[0]?.arguments[0]), why)
  })
}

test('what is typed is what is done', async (t) => {
  const { argv, exitCode } = process
  t.after(() => Object.assign(process, { argv, exitCode }))
  process.argv = ['node', 'typed-multicast', '--help']
  const log = t.mock.method(console, 'log', () => {})
  await import('../src/cli/main.js')
  assert.equal(process.exitCode, 0)
  assert.match(String(log.mock.calls[0]?.arguments[0]), /^Usage: typed-multicast COMMAND/)
})

test('each has its help, which is no message', async (t) => {
  const log = t.mock.method(console, 'log', () => {})
  for (const name of ['listen', 'send', 'doctor']) {
    for (const flag of ['--help', '-h']) {
      assert.equal(await command([name, flag]), 0)
      const usage = new RegExp(`^Usage: typed-multicast ${name} \\[?GROUP PORT`)
      assert.match(String(log.mock.calls.at(-1)?.arguments[0]), usage)
    }
  }
  log.mock.restore()
  const { command: listener, port } = await listening(t, '--count', '1')
  await run(t, 'send', group, String(port), ...here, '--', '--help').end()
  assert.match((await listener.end()).out, /: --help\n$/)
})
