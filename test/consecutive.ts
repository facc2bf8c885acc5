/**
 * Runs programs in one process, each as soon as nothing is left to do for the one before:
 *
 *     node consecutive.js PROGRAM...
 *
 * What it prints is that of the programs, a NUL before each.
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const programs = process.argv.slice(2)
let running: string | undefined

function next(): void {
  if (running !== undefined) console.error(`${running} waits for what never comes`)
  running = programs.shift()
  if (running === undefined) return
  process.stdout.write('\0')
  process.stderr.write('\0')
  import(pathToFileURL(resolve(running)).href).then(() => {
    running = undefined
  })
}

process.on('beforeExit', next)
