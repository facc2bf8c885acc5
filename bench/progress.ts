let lastStep = ''

/** Shows what is going on; where nobody watches a terminal, each step once. */
export function progress(step: string, detail = ''): void {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\x1b[K${[step, detail].filter(Boolean).join(', ')}`)
  } else if (step !== '' && step !== lastStep) {
    process.stderr.write(`${step}\n`)
  }
  lastStep = step
}
