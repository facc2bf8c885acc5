// Receives on one side, and tells what that cost this process.
import { acknowledge } from './acknowledging.js'
import { openReceiver, type Side } from './sides.js'

const [side, batch, port, timeout] = process.argv.slice(2)

const receiving = await openReceiver(side as Side, 0, Number(timeout) || undefined)
await acknowledge(receiving, Number(batch), Number(port))
