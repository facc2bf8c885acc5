/** What tests rely on of the lab itself. */
import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { scenario } from './lab.js'

scenario('an interface that was taken up is listed at once', [], async (lab) => {
  const far = lab.host()
  // The end of a cable that has the same number at both may be listed up to a second later than it is up.
  for (const index of [101, 102, 103]) {
    lab.here.ip(
      `link add dev e0 index ${index} type veth peer name far0 index ${index}${far.netns}`,
      'addr add 10.0.0.1/24 dev e0',
    )
    // Asked for this one alone, the kernel finds it down, as it would by itself in a while.
    lab.here.ip('link show dev e0')
    far.ip('link set dev far0 up')
    lab.here.ip('link set dev e0 up')
    assert.ok('e0' in networkInterfaces(), `number ${index}`)
    lab.here.ip('link del dev e0')
  }
})
