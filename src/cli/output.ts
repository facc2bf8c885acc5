import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** In a style, where the stream is a terminal that has colours: none into a pipe or a file. */
export function styled(stream: NodeJS.WriteStream, style: Style, text: string): string {
  return stream.isTTY && stream.hasColors() ? styleText(style, text) : text
}

/** Calls back once, at Ctrl-C, or where nobody reads any more what is printed. */
export function untilEnded(end: () => void): void {
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A pipe that is broken, as by `head`: that is no failure of ours.
    if (error.code !== 'EPIPE') throw error
    end()
  })
}
