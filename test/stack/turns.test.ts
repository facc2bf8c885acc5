import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runProgram } from '../child.js'
import { moduleOf } from '../tree.js'

test('what a task throws is uncaught, and the next one runs all the same, each in its context', async () => {
  const { code, stdout } = await runProgram(`
    import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
    import { heldTurn, turnIn } from ${moduleOf('stack/turns')}
    const storage = new AsyncLocalStorage()
    const scope = storage.run('there', () => new AsyncResource('TASK'))
    process.on('uncaughtException', ({ message }) => console.log('uncaught', message))
    turnIn(scope, () => {
      throw new Error(storage.getStore())
    })
    turnIn(scope, () => console.log('next', storage.getStore()))
    heldTurn(() => {})
    console.log('first', storage.getStore())
  `)
  assert.deepEqual([code, stdout], [0, 'first undefined\nuncaught there\nnext there\n'])
})

test('who waits for a turn keeps the process alive until it is done, the turn by itself does not', async () => {
  const { code, stdout } = await runProgram(`
    import { heldTurn, turn } from ${moduleOf('stack/turns')}
    const holds = () => process.getActiveResourcesInfo().includes('MessagePort')
    const told = [holds()]
    turn(() => console.log(...told, holds()))
    told.push(holds())
    heldTurn(() => turn(() => console.log('nobody waits for this')))
    told.push(holds())
  `)
  assert.deepEqual([code, stdout], [0, 'false false true true\n'])
})

test('a task that goes on in its round does so until it is done', async () => {
  const { code, stdout } = await runProgram(`
    import { heldTurn, turn } from ${moduleOf('stack/turns')}
    let times = 0
    turn(() => {
      times += 1
      return times < 3
    })
    heldTurn(() => heldTurn(() => console.log('after', times)))
  `)
  assert.deepEqual([code, stdout], [0, 'after 3\n'])
})

test('what has run is let go of, though others are always coming', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { setFlagsFromString } from 'node:v8'
    import { runInNewContext } from 'node:vm'
    import { Hold, turn } from ${moduleOf('stack/turns')}
    setFlagsFromString('--expose-gc')
    new Hold().set(true)
    const gc = runInNewContext('gc')
    const first = []
    const chain = (left) => {
      const task = () => left > 0 && chain(left - 1)
      if (first.length < 20) first.push(new WeakRef(task))
      turn(left === 1 ? look : task)
    }
    const look = () => {
      gc()
      console.log(first.filter((task) => task.deref() !== undefined).length)
      process.exit()
    }
    for (let one = 0; one < 2; one += 1) chain(1000)
  `)
  assert.deepEqual([code, stdout, stderr], [0, '0\n', ''])
})

test('what is asked for in a turn comes in the next round of the loop, all of it', async () => {
  const { code, stdout } = await runProgram(`
    import { heldTurn } from ${moduleOf('stack/turns')}
    const told = []
    setImmediate(() => {
      for (const name of ['a', 'b']) {
        heldTurn(() => {
          told.push(name)
          setImmediate(() => told.push('immediate of ' + name))
          for (const next of [name + '1', name + '2']) heldTurn(() => told.push(next))
          Promise.resolve().then(() => told.push('job of ' + name))
        })
      }
      setImmediate(() => told.push('immediate'))
    })
    process.on('exit', () => console.log(told.join()))
  `)
  const first = 'a,job of a,b,job of b,immediate,immediate of a,immediate of b'
  assert.deepEqual([code, stdout], [0, `${first},a1,a2,b1,b2\n`])
})

test('what is asked for with news of something else comes in the next round, what was asked for before with those', async () => {
  const { code, stdout } = await runProgram(`
    import { stat } from 'node:fs'
    import { setImmediate as immediate } from 'node:timers/promises'
    const { heldTurn } = await import(${moduleOf('stack/turns')})
    // Of ports the one is told first that libuv has first in its list. What is made while it goes through that comes
    // next: after the thread pool, which is the first of all, and before the ports that turns are made of.
    const { port1: news, port2: source } = await new Promise((resolve) => {
      stat('.', () => resolve(new MessageChannel()))
    })
    for (let time = 0; time < 20; time += 1) {
      const told = []
      await immediate()
      await new Promise((resolve) => {
        news.once('message', () => {
          told.push('news')
          heldTurn(() => {
            told.push('asked with it')
            resolve()
          })
          setImmediate(() => told.push('immediate'))
        })
        heldTurn(() => told.push('asked before'))
        source.postMessage(undefined)
      })
      console.log(told.join())
    }
    news.close()
  `)
  assert.equal(code, 0)
  const told = 'news,asked before,immediate,asked with it\n'
  assert.equal(stdout, told.repeat(20))
})
