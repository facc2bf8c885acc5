/** Asks the kernel again what the transcripts say that it answers. */
import assert from 'node:assert/strict'
import { scenario } from '../lab.js'
import { kernelNetwork, routerNeeds } from './kernel.js'
import { reported } from './observed.js'
import { chapters, rewrite } from './transcripts.js'

scenario(
  'the kernel answers what the transcripts say',
  routerNeeds,
  async (lab, t) => {
    const network = await kernelNetwork(lab, true)
    for (const [file, transcripts] of chapters) {
      const answers: string[][] = []
      for (const { name, lines, run } of transcripts) {
        await t.test(name, { timeout: 30_000 }, async () => {
          const answered = await run({ ...network, settled: () => reported(network) })
          answers.push(answered)
          if (!process.env.TRANSCRIBE) assert.deepEqual(answered, lines)
        })
      }
      if (process.env.TRANSCRIBE && answers.length === transcripts.length) rewrite(file, answers)
    }
  },
  120_000,
)
