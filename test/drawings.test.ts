/** The drawings of the documents: each is shown, described in words, and legible in light and in dark. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { documents } from './blocks.js'
import { root } from './tree.js'

const folder = join(root, 'docs/drawings')
const drawings = readdirSync(folder).map((name) => ({
  name,
  svg: readFileSync(join(folder, name), 'utf8'),
}))

/** The style of a drawing where it is light, and what of it differs where it is dark. */
function styles(svg: string): { light: string; dark: string } {
  const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(svg) ?? []
  const [light = '', dark = ''] = style.split('@media (prefers-color-scheme: dark)')
  return { light, dark }
}

/** The colours in a style, by what they are for: `.line stroke`. */
function colours(style: string): Map<string, string> {
  const rules = [...style.matchAll(/([.\w]+) \{([^}]*)\}/g)]
  return new Map(
    rules.flatMap(([, selector = '', rule = '']) =>
      [...rule.matchAll(/\b(fill|stroke): (#[0-9a-f]{6})/g)].map(
        ([, property, colour = '']): [string, string] => [`${selector} ${property}`, colour],
      ),
    ),
  )
}

/** The contrast of two colours, from 1 to 21, as WCAG 2 defines it. */
function contrast(one: string, other: string): number {
  const luminance = (hex: string): number => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (high + 0.05) / (low + 0.05)
}

test('the documents show every drawing, and say in words what is on it', () => {
  const shown = documents.flatMap((document) => [
    ...readFileSync(join(root, document), 'utf8').matchAll(/!\[([^\]]+)\]\(drawings\/([^)]+)\)/g),
  ])
  assert.deepEqual(shown.map(([, , name]) => name).sort(), drawings.map(({ name }) => name).sort())
  for (const [, words = '', name] of shown) assert.ok(words.length > 50, name)
  for (const { name, svg } of drawings) assert.match(svg, /<title [^>]*>[^<]+<[\s\S]*<desc /, name)
})

test('the drawings load and run nothing', () => {
  for (const { name, svg } of drawings) {
    assert.doesNotMatch(svg, /<script|href|url\(|@import|\son\w+=/, name)
  }
})

test('text, lines and marks stand out from what is behind them, in light and in dark', () => {
  const grounds = ['.paper fill', '.box fill', '.area fill']
  const text = ['text fill', '.quiet fill']
  for (const { name, svg } of drawings) {
    const { light, dark } = styles(svg)
    assert.deepEqual([...colours(dark).keys()], [...colours(light).keys()], name)
    for (const scheme of [colours(light), colours(dark)]) {
      for (const needed of ['.paper fill', ...text]) assert.ok(scheme.has(needed), name)
      const behind = grounds.flatMap((one) => scheme.get(one) ?? [])
      for (const [use, colour] of scheme) {
        if (grounds.includes(use)) continue
        const least = text.includes(use) ? 4.5 : 3
        for (const ground of behind) {
          assert.ok(contrast(colour, ground) >= least, `${name}: ${use} on ${ground}`)
        }
      }
    }
  }
})
