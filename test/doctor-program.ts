/** The command `doctor` in a process of its own. */
import { command } from '../src/cli/command.js'

process.exitCode = await command(['doctor', ...process.argv.slice(2)])
