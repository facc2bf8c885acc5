// Keeps of the declarations in dist/ those that an entry point of package.json leads to. The others are of what
// nobody can import, and took half of the space. It knows the forms that are used here, and fails at any other.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Where a statement begins, as the compiler writes it: with its comment, and never indented. */
const beginning =
  /^(?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)*(?:import|export|declare|interface|type|class)\b/gm

/** `import … from`, `export … from` and `export { … }`. */
const clause = /^(import|export) (?:type )?(\{[\s\S]*?\}|\*(?: as \w+)?)(?: from '([^']+)')?;\n$/

const declared =
  /^(?:export )?(?:declare )?(?:abstract )?(?:class|const|function|interface|let|type) (\w+)/

/** A statement: what it declares, or what it brings from another module, by the names here and there. */
function parse(text, file) {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').trimStart()
  const [, how, what, from] = clause.exec(code) ?? []
  if (how === undefined) {
    const [, name] = declared.exec(code) ?? []
    if (name === undefined) throw new Error(`${file} has a statement of another form: ${code}`)
    return { text, code, name }
  }
  const module = from?.startsWith('.')
    ? join(dirname(file), from.replace(/js$/, 'd.ts'))
    : undefined
  const items = what.startsWith('{') ? what.slice(1, -1).split(',') : [what]
  const brought = items.flatMap((item) => {
    const [there, here = there] = item
      .trim()
      .replace(/^type /, '')
      .split(' as ')
    return there === '' ? [] : { item: item.trim(), there, here }
  })
  return { text, how, module, brought }
}

const files = new Map(
  readdirSync(dist, { recursive: true })
    .filter((name) => name.endsWith('.d.ts'))
    .map((name) => {
      const file = join(dist, name)
      const text = readFileSync(file, 'utf8')
      const starts = [...text.matchAll(beginning)].map(({ index }) => index)
      const [first] = text.slice(0, starts[0]).split('\n')
      if (first !== '' && !first.startsWith('#!')) throw new Error(`${file} begins with ${first}`)
      return [file, starts.map((start, at) => parse(text.slice(start, starts[at + 1]), file))]
    }),
)

/** The statements to keep, and what is used of those that import. */
const kept = new Set()
const used = new Set()

function keep(file, statement) {
  if (kept.has(statement)) return
  kept.add(statement)
  const { code, how, module, brought } = statement
  if (how !== undefined) {
    for (const { there } of brought) {
      if (there === '*') needAll(module)
      else need(module ?? file, there)
    }
    return
  }
  for (const [, from, name] of code.matchAll(/import\('(\.[^']+)js'\)\.(\w+)/g)) {
    need(join(dirname(file), `${from}d.ts`), name)
  }
  for (const [name] of code.matchAll(/\w+/g)) need(file, name)
}

/** Keeps what a name stands for in a module, if anything. */
function need(file, name) {
  for (const statement of files.get(file)) {
    const { how, module, brought } = statement
    const one = brought?.find(({ here }) => here === name || here === '*')
    if (how === 'import' && one !== undefined) {
      used.add(one)
      if (module === undefined) continue
      if (one.there === '*') needAll(module)
      else need(module, one.there)
    } else if (one?.here === '*') need(module, name)
    else if (one !== undefined || statement.name === name) keep(file, statement)
  }
}

/** Keeps what a module exports. */
function needAll(file) {
  for (const statement of files.get(file)) {
    if (/^export /m.test(statement.code ?? statement.text)) keep(file, statement)
  }
}

for (const { types } of Object.values(exports)) if (types !== undefined) needAll(join(root, types))

for (const [file, statements] of files) {
  if (!statements.some((statement) => kept.has(statement))) {
    rmSync(file)
    continue
  }
  const texts = statements.map((statement) => {
    const { text, brought } = statement
    const left = brought?.filter((one) => used.has(one)) ?? []
    // Without it all of a module would be exported.
    if (kept.has(statement) || text === 'export {};\n') return text
    if (left.length === 0) return ''
    return text.replace(/\{[\s\S]*\}/, `{ ${left.map(({ item }) => item).join(', ')} }`)
  })
  writeFileSync(file, texts.join(''))
}
