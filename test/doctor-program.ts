/** The command `doctor` in a process of its own. */
import { doctor } from '../src/cli/doctor.js'

process.exitCode = await doctor(process.argv.slice(2))
