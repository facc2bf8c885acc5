import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runProgram } from '../child.js'
import { moduleOf } from '../tree.js'

test('what a task throws is uncaught, and the next one runs all the same, each in its context', async () => {
  const { code, stdout } = await runProgram(`
    import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
    import { turnIn } from ${moduleOf('stack/turns')}
    const storage = new AsyncLocalStorage()
    const scope = storage.run('there', () => new AsyncResource('TASK'))
    process.on('uncaughtException', ({ message }) => console.log('uncaught', message))
    turnIn(scope, () => {
      throw new Error(storage.getStore())
    })
    turnIn(scope, () => console.log('next', storage.getStore()))
    console.log('first', storage.getStore())
  `)
  assert.deepEqual([code, stdout], [0, 'first undefined\nuncaught there\nnext there\n'])
})

test('what has only been loaded does not keep the process alive, a coming turn does', async () => {
  const { code, stdout } = await runProgram(`
    import { turn } from ${moduleOf('stack/turns')}
    const holds = () => process.getActiveResourcesInfo().includes('MessagePort')
    const told = [holds()]
    turn(() => console.log(...told, holds()))
    told.push(holds())
  `)
  assert.deepEqual([code, stdout], [0, 'false true false\n'])
})
