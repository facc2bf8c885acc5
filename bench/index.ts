// The library beside node:dgram; with --save all benches, written down in docs/benchmarks.md.
import { save } from './save/save.js'

const args = process.argv.slice(2)
const unknown = args.find((arg) => !['--save', '--brief'].includes(arg))
if (unknown !== undefined) {
  console.error(`What is ${unknown}? npm run bench [-- --save] [--brief]`)
  process.exitCode = 2
} else if (args.includes('--save')) await save()
else await import('./dgram/index.js')
