// Opens many receivers or senders of either side at once and closes them: tells how long that took.
import { serve } from './program.js'
import { openReceiver, openSender, type Side } from './sides.js'

export interface Opening {
  readonly side: Side
  readonly what: 'receivers' | 'senders'
  readonly count: number
}

/** Nothing is sent to it. */
const port = 10_000

serve(async ({ side, what, count }: Opening) => {
  const start = performance.now()
  const opened = await Promise.all(
    Array.from({ length: count }, () =>
      what === 'senders' ? openSender(side, port) : openReceiver(side, 0),
    ),
  )
  await Promise.all(opened.map((each) => each.close()))
  return (performance.now() - start) / 1000
})
