/** As many formats of four integers, each different from all others. */
export function distinctFormats(count: number): string[] {
  const codes = 'bBhHiI'
  return Array.from({ length: count }, (_, n) => {
    const at = (place: number) => codes.charAt(Math.floor(n / codes.length ** place) % codes.length)
    return `>${at(0)}${at(1)}${Math.floor(n / codes.length ** 4) + 2}x${at(2)}${at(3)}`
  })
}
