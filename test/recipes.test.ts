/**
 * The recipe that needs zod, which is installed beside the packed package, and what strangers can send to its
 * schemas. The other recipes run in docs.test.ts.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { blocks } from './blocks.js'
import { command, installBeside, node } from './consumer.js'
import { root } from './tree.js'

const { consumer, skip } = await installBeside({ zod: '4.6.7' })

/** What a program of a user's prints, compiled as it would be. */
async function printed(name: string, source: string): Promise<string> {
  await writeFile(join(consumer, `${name}.mts`), source)
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const options = [
    '--ignoreConfig',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--types',
    'node',
    '--strict',
  ]
  await command(consumer, process.execPath, tsc, ...options, '--skipLibCheck', `${name}.mts`)
  return node(consumer, `${name}.mjs`)
}

test('the recipe with zod compiles and prints what is shown', { skip }, async () => {
  const at = blocks.findIndex(({ kind }) => kind === 'ts run zod')
  assert.equal(await printed('zod', blocks[at]?.code ?? ''), blocks[at + 1]?.code)
})

test('what does not fit a schema of zod never reaches a listener', { skip }, async () => {
  const output = await printed(
    'strangers',
    `
    import { type Codec, json, MulticastReceiver, MulticastSender } from 'typed-multicast'
    import { MockNetwork } from 'typed-multicast/testing'
    import { z } from 'zod'

    const schemas = {
      object: json(z.object({ sensor: z.string(), degrees: z.coerce.number() })),
      strict: json(z.strictObject({ sensor: z.string(), degrees: z.number() })),
      slow: json(z.object({ sensor: z.string() }).refine(async () => false)),
      throwing: json(z.object({ sensor: z.string() }).refine(() => { throw new Error('\u001b[2J') })),
    }
    const degrees: number = schemas.object.decode(Buffer.from('{"sensor":"a","degrees":"1"}')).degrees
    console.log(degrees)
    const texts = [
      'null', '7', '[]', '', '{', '{"sensor":"s"}',
      '{"sensor":"s","degrees":"2"}',
      '{"sensor":"s","degrees":3,"more":true}',
      '{"sensor":"s","degrees":4,"__proto__":{"isAdmin":true}}',
      '{"__proto__":{"sensor":"s","degrees":5}}',
    ]
    for (const [name, codec] of Object.entries(schemas) as [string, Codec<object>][]) {
      const network = new MockNetwork()
      const where = { group: '239.255.29.71', port: 10053 }
      const receiver = await new MulticastReceiver<object>({ ...where, codec, ...network.host() }).ready()
      const heard: string[] = []
      receiver.on('message', (message) => {
        heard.push(JSON.stringify(message) + ('isAdmin' in message ? ' is spoilt' : ''))
      })
      receiver.on('malformed', (error) => {
        if (/\\p{Cc}/u.test(error.message)) heard.push('raw: ' + JSON.stringify(error.message))
      })
      const stranger = new MulticastSender({ ...where, ...network.host() })
      for (const text of texts) await stranger.send(text)
      await network.settled()
      console.log(name, receiver.stats.malformed, ...heard)
      await network.close()
    }
    // A promise that was left behind would have rejected by now.
    await new Promise(setImmediate)
    `,
  )
  assert.deepEqual(output.trim().split('\n'), [
    '1',
    'object 7 {"sensor":"s","degrees":2} {"sensor":"s","degrees":3} {"sensor":"s","degrees":4}',
    'strict 10',
    'slow 10',
    'throwing 10',
  ])
})
