import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runProgram } from '../child.js'
import { moduleOf } from '../tree.js'

/** What is read of the options where node:dgram's class has these words in its source. */
async function read(...words: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await runProgram(`
    import dgram from 'node:dgram'
    import { syncBuiltinESMExports } from 'node:module'
    import { BlockList } from 'node:net'
    dgram.Socket = class {
      words = ${JSON.stringify(words)}
    }
    syncBuiltinESMExports()
    const { readOptions } = await import(${moduleOf('stack/socket-options')})
    const list = new BlockList()
    const read = (options) => {
      try {
        const { reusePort, receiveBlockList, sendBlockList } = readOptions({ type: 'udp4', ...options })
        return [reusePort, receiveBlockList === list, sendBlockList === list]
      } catch ({ code, message }) {
        return [code, message]
      }
    }
    const all = { reusePort: true, receiveBlockList: list, sendBlockList: list }
    const none = { receiveBlockList: null, sendBlockList: 0 }
    console.log(JSON.stringify([all, none, { receiveBlockList: [] }, { sendBlockList: 5 }].map(read)))
  `)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

test('options that are new in node:dgram are read and checked where it does so', async () => {
  const must = 'must be an net.BlockList. Received'
  assert.deepEqual(await read('reusePort', 'receiveBlockList'), [
    [true, true, true],
    [null, false, false],
    [
      'ERR_INVALID_ARG_TYPE',
      `The "options.receiveBlockList" property ${must} an instance of Array`,
    ],
    ['ERR_INVALID_ARG_TYPE', `The "options.sendBlockList" property ${must} type number (5)`],
  ])
})

test('options that node:dgram does not know are not looked at', async () => {
  const nothing = [null, false, false]
  assert.deepEqual(await read(), [nothing, nothing, nothing, nothing])
})
