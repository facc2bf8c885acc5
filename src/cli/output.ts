import { styleText } from 'node:util'
import type { Remote } from '../events.js'

type Style = Parameters<typeof styleText>[0]

/** In a style, where the stream is a terminal that has colours: none into a pipe or a file. */
export function styled(stream: NodeJS.WriteStream, style: Style, text: string): string {
  return stream.isTTY && stream.hasColors() ? styleText(style, text) : text
}

/** Prints a datagram as it is shown, with whom it is from. */
export function printFrom({ address, port }: Remote, shown: string): void {
  console.log(`${styled(process.stdout, 'dim', `${address} port ${port}:`)} ${shown}`)
}

/** Says something beside what is printed: on standard error. */
export function remark(text: string): void {
  console.error(styled(process.stderr, 'dim', text))
}

/** Calls back at Ctrl-C, or where nobody reads any more what is printed. */
export function untilEnded(end: () => void): void {
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  whenUnread(end)
}

/** Calls back where nobody reads any more what is printed. */
export function whenUnread(end: () => void): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A pipe that is broken, as by `head`: that is no failure of ours.
      if (error.code !== 'EPIPE') throw error
      end()
    })
  }
}
