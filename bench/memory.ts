// Sends messages and hears the replies, or receives and replies; tells how much memory that holds.
import { serve } from './program.js'
import { sample } from './sample.js'
import { openReceiver, openSender, payload, type Side } from './sides.js'

const inFlight = 64

const [end, side, port] = process.argv.slice(2)

if (end === 'sender') await send(side as Side, Number(port))
else await receive(side as Side)

async function send(side: Side, port: number): Promise<void> {
  const sending = await openSender(side, port)
  let replies = 0
  let wanted = 0
  let toSend = 0
  let done = (): void => {}
  const next = (): void => {
    if (toSend === 0) return
    toSend -= 1
    sending.send(payload)
  }
  sending.onMessage(() => {
    replies += 1
    if (replies === wanted) done()
    next()
  })
  serve(async (question: 'sample' | number) => {
    if (question === 'sample') return sample()
    replies = 0
    wanted = question
    toSend = question
    const finished = new Promise<void>((resolve) => {
      done = resolve
    })
    for (let n = 0; n < inFlight; n += 1) next()
    const watch = setInterval(resend(), 500)
    await finished
    clearInterval(watch)
    return replies
  })

  /** Where nothing came for a while it was lost, and is sent again. */
  function resend(): () => void {
    let before = 0
    return () => {
      if (replies === before) {
        toSend += Math.min(inFlight, wanted - replies - toSend)
        for (let n = 0; n < inFlight; n += 1) next()
      }
      before = replies
    }
  }
}

async function receive(side: Side): Promise<void> {
  const receiving = await openReceiver(side, 0)
  receiving.onMessage((message, remote) => {
    receiving.reply(message, remote)
  })
  serve(async (question: 'port' | 'sample') =>
    question === 'port' ? { port: receiving.port } : sample(),
  )
}
