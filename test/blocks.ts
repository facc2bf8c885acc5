/** The blocks of code in the documents. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './tree.js'

export const documents = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'examples/README.md',
  ...readdirSync(join(root, 'docs')).flatMap((file) =>
    file.endsWith('.md') ? `docs/${file}` : [],
  ),
]

export interface Block {
  /**
   * `ts`, `ts run`, `sh`, `text` or `yaml`; `ts run zod`, which recipes.test.ts runs beside zod; or
   * `ts printers.ts`, a file of a user's project, which testing/frameworks.test.ts makes.
   */
  readonly kind: string
  readonly code: string
  readonly document: string
  /** The line of the document before its first. */
  readonly line: number
}

export const blocks: readonly Block[] = documents.flatMap((document): Block[] => {
  const content = readFileSync(join(root, document), 'utf8')
  return [...content.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map((match) => {
    const [, kind = '', code = ''] = match
    return { kind, code, document, line: content.slice(0, match.index).split('\n').length }
  })
})

/** The files of a user's project that are shown, with their names. */
export const files: readonly (Block & { readonly name: string })[] = blocks.flatMap((block) => {
  const [, name] = /^ts (\S+\.ts)$/.exec(block.kind) ?? []
  return name === undefined ? [] : [{ ...block, name }]
})
