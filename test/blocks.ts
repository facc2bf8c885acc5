/** The blocks of code in the documents, and the examples in docstrings. */
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
   * `ts`, `ts run`, `sh`, `text`, `yaml` or `conf`; `ts lasting` and `js lasting`, which run until Ctrl-C, in JavaScript
   * alone if the compiler is not to see it; `ts test`, a file of tests for
   * `node --test`; `ts run zod`, which recipes.test.ts runs beside zod; or
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

/** An `@example` of a docstring, and what that is of, if that is exported. */
export interface Example {
  readonly code: string
  readonly of: string | undefined
  readonly file: string
  /** The line of the file before its first. */
  readonly line: number
}

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })

export const examples: readonly Example[] = sources
  .filter((name) => name.endsWith('.ts'))
  .flatMap((name): Example[] => {
    const file = join('src', name)
    const content = readFileSync(join(root, file), 'utf8')
    const docstrings = content.matchAll(
      /\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*(?:export (?:abstract |const )?(?:class |function )?(\w+))?/g,
    )
    return [...docstrings].flatMap((docstring) => {
      const [comment, of] = docstring
      return [...comment.matchAll(/^ *\* @example\n *\* ```ts\n([\s\S]*?)^ *\* ```$/gm)].map(
        (match) => {
          const [whole, code = ''] = match
          const before = docstring.index + match.index + whole.indexOf(code)
          return {
            code: code.replace(/^ *\* ?/gm, ''),
            of,
            file,
            line: content.slice(0, before).split('\n').length - 1,
          }
        },
      )
    })
  })
