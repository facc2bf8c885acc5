/** Milliseconds that a carrier has for what it is asked: a server may be away, or take nothing. */
const PATIENCE = 5000

/** The same promise, which rejects where it takes too long. */
export async function inTime<Value>(promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const tell = () => reject(new Error(`it has taken more than ${PATIENCE} ms`))
    timer = setTimeout(tell, PATIENCE)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
