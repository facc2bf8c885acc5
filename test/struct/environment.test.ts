import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { build, root } from '../tree.js'
import { runNode, runStruct } from './program.js'

/** Every name in the source: an option, a detail or a field that is missing may be looked up. */
function namesInSource(): string[] {
  const src = join(root, 'src/struct')
  const files = readdirSync(src).filter((file) => file.endsWith('.ts'))
  const texts = files.map((file) =>
    readFileSync(join(src, file), 'utf8').replace(/\/\*.*?\*\//gs, ''),
  )
  return [...new Set(texts.join('\n').match(/[a-zA-Z_]\w*/g))]
}

describe('in a process of its own', { concurrency: 2 }, () => {
  test('all works where no code may be generated', async () => {
    const file = join(build, 'test/struct/roundtrip.test.js')
    const stdout = await runNode([
      '--disallow-code-generation-from-strings',
      '--test-reporter=tap',
      '--test-name-pattern=^(what was|packInto|unpackFrom|iterUnpack|a Struct gives|the functions)',
      file,
    ])
    assert.match(stdout, /^# pass 7$/m)
    assert.match(stdout, /^# fail 0$/m)
  })

  test('what is put on Object.prototype has no influence, and gets into no program', async () => {
    // The language itself looks for these: in a descriptor, and in an iterator that is left early.
    const names = namesInSource().filter((name) => !['get', 'set', 'return'].includes(name))
    assert.ok(names.length > 300)
    const stdout = await runStruct(`
    const formats = ['<BhIq?efd4s20s5p40p', '>20B20h20I20q20?20e20f20d20c', '@bHlQnNPFD', '<BxH']
    function outcome(call) {
      try {
        return call()
      } catch (error) {
        return Object.entries(error).filter(([name]) => Object.hasOwn(error, name)).concat(error.message)
      }
    }
    function all() {
      const outcomes = []
      for (const format of formats) {
        const made = new struct.Struct(format)
        const bytes = Buffer.alloc(made.size, 1)
        for (let calls = 0; calls < 300; calls += 150) {
          const values = made.unpack(bytes)
          outcomes.push(
            values,
            made.unpackFrom(bytes),
            made.pack(...values),
            outcome(() => made.packInto(Buffer.alloc(made.size), 0, ...values)),
            outcome(() => made.pack(...values.map(() => ({})))),
            outcome(() => made.pack(1)),
            outcome(() => made.packInto(bytes, 1, ...values)),
            outcome(() => made.unpack({})),
            outcome(() => struct.pack(format, ...values)),
          )
          for (let call = 0; call < 150; call += 1) made.unpack(bytes)
        }
      }
      return outcomes
    }
    const text = (value) => JSON.stringify(value, (_, item) => typeof item === 'bigint' ? item + 'n' : item)
    const expected = text(all())
    function changed(names) {
      for (const name of names) Object.prototype[name] = 'throw new Error("injected");'
      let got
      try {
        got = all()
      } catch (error) {
        got = [String(error)]
      }
      for (const name of names) delete Object.prototype[name]
      return text(got) !== expected
    }
    const names = ${JSON.stringify(names)}.filter((name) => !(name in Object.prototype))
    // All at once, and one by one only to find the culprits.
    const wrong = changed(names) ? names.filter((name) => changed([name])) : []
    console.log(wrong.length === 0 ? 'none' : wrong.join(' '))`)
    assert.equal(stdout, 'none\n')
  })
})
