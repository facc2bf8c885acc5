// The carriers beside node:dgram's multicast, as ratios within one run: it prints, and judges nothing. All of it is in
// a network namespace of its own, and so is a NATS server, if this machine has one.
import { build } from '../build.js'
import { chapters } from '../chapters.js'
import { enter, isInside, makeInterfaces } from '../interfaces/namespace.js'
import { natsVersion } from '../machine.js'
import { progress } from '../progress.js'
import { Report } from '../report.js'
import { carriers } from './host.js'
import { remember } from './memory.js'
import { startServer } from './server.js'
import { compareSpeed } from './speed.js'

if (!isInside()) {
  build()
  enter()
}
makeInterfaces(0)
const isComplete = natsVersion() !== undefined
const without = 'There is no nats-server here: all but NATS is measured.'
if (!isComplete) progress(without)
const report = new Report(chapters.carriers)
const stop = isComplete ? await startServer() : () => {}
const names = carriers.filter((name) => name !== 'NATS' || isComplete)

await compareSpeed(report, names)
await remember(report, names)
stop()
report.end(isComplete ? '' : without)
